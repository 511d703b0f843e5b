"""Tests of `app/database`."""
