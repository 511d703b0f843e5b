"""Tests of BatchMeterUsage in the sandbox."""
