"""Tests of `app/config`."""
