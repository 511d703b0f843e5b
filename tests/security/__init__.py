"""Tests of `app/security`."""
