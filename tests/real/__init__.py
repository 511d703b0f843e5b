"""Tests with programs that others wrote, as they are installed: reverse proxies, a pooler, PostgreSQL and Redis."""
