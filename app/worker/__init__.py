"""The background process: a loop of chores, and threads that send what is in the outbox.

Only commands import it.
"""
