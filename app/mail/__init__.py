"""Sends mail through SMTP or SES. Services and the layers above them may import this package."""
