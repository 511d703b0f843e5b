"""The outbox: hand-offs and mails that are stored with the change that they announce, and the product's replies.

Sign-up, events, delivery and reports import it.
"""
