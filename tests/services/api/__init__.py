"""Tests of `app/services/api`."""
