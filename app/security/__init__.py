"""Encryption, signed sign-in tokens, security headers and rate counters.

Every layer above may import it; it imports no models.
"""
