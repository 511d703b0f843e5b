"""The read API's services: the feed of subscriptions with its cursors, and the API tokens."""
