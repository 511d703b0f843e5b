"""The worker, a background process: a loop of chores, and threads that send the outbox. Only commands import it."""
