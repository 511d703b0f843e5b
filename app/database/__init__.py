"""Transactions on SQLite and PostgreSQL, and statements that all tables share.

Models and all layers above may import it; it imports no models.
"""
