"""Transactions on SQLite and PostgreSQL, and what every table's queries share.

Models and all layers above may import it; it knows no table.
"""
