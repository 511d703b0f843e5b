"""Tests of app.services.usage_reports."""
