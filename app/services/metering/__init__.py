"""Metering: items of usage are accepted, each into the hour in which it is billed."""
