"""The outbox: hand-offs and mails that are stored with the change that they announce, and the product's replies.

Sign-up, events, delivery, reports, the API, the commands and the worker import it.
"""
