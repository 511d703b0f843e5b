"""What an operator relies on: the audit log, the workers' heartbeats, and whether the database is ready.

Every other service may import this package; it imports no other service.
"""
