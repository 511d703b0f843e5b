"""The domain: what happens to purchases and registrations, for the views, the commands and the worker.

Every function that is a `@transaction` or a `@query` raises DatabaseUnavailable while the database is down.
"""
