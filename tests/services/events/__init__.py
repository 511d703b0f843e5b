"""Tests of `app/services/events`."""
