"""Mails: one message, and its way out through SMTP or SES.

Services and all layers above may import it.
"""
