"""Tests of `app/services/purchases`."""
