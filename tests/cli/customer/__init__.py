"""Tests of `app/cli/customer.py`."""
