"""Tests of `app/migrations`."""
