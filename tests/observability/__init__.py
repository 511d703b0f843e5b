"""Tests of `app/observability`."""
