"""Transactions on SQLite and PostgreSQL, and statements that all tables share. It imports no models."""
