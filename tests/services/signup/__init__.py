"""Tests of `app/services/signup`."""
