"""What operators and monitoring ask: registrations, subscriptions, events, the outbox, and gauges.

The commands, the health views and the read API import it.
"""
