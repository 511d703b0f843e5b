"""What an operator relies on: the audit log, the workers' heartbeats, and whether the database is ready."""
