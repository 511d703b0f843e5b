"""A buyer's sign-up: from the registration token to the answers, their account, and their erasure.

Events, delivery, the views, the commands and the worker import it.
"""
