"""Tests of app.services.billing."""
