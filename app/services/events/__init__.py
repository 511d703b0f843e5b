"""AWS Marketplace's events: taken from the queue, matched with a subscription, and applied to it.

An event's way: consume → apply → match (→ agreements, merge) → status → the outbox's announce.
"""
