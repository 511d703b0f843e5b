"""Tests of `app/services/events/review.py`."""
