"""The API's services: the feed of subscriptions, hours of usage, cursors, and the API tokens."""
