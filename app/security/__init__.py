"""Encryption, signed links and tokens, form secrets, security headers, request bounds, rate counters; no models."""
