"""A buyer's sign-up: from the registration token to the answers, their account, and their erasure.

Events, delivery, reports and the views import it.
"""
