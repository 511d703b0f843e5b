"""Tests of app.services.billing.alerts."""
