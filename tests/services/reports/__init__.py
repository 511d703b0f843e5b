"""Tests of `app/services/reports`."""
