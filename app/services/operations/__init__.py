"""What an operator relies on: the audit log, the workers' heartbeats, the clocks, and whether the database is ready."""
