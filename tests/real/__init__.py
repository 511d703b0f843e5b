"""Tests with programs that others wrote, as they are installed: reverse proxies and Redis."""
