"""AWS Marketplace's events: taken from the queue, matched with a subscription, and applied to it.

The worker and the commands import it; no other service does, except reports.
"""
