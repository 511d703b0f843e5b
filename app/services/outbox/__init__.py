"""The outbox: hand-offs and mails that are enqueued with the change they tell of, and the product's replies.

Sign-up, events, delivery and reports import it.
"""
