"""Reports for operators and monitoring: registrations, subscriptions, events, the outbox, and gauges.

The commands and the health views import them.
"""
