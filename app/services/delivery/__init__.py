"""Sends what is in the outbox, one hand-off or one mail at a time. The worker imports it."""
