"""Metering: usage items in, hours of usage to BatchMeterUsage."""
