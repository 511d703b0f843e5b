"""What the read API answers: a feed of subscriptions with cursors, and the tokens that open it.

The API's views and the commands import it.
"""
