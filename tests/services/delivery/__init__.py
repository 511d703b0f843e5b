"""Tests of `app/services/delivery`."""
