"""Tests of `app/worker`."""
