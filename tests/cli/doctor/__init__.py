"""Tests of `app/cli/doctor`."""
