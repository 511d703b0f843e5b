"""Encryption, signed links, signed sign-in tokens, security headers and rate counters. It imports no models."""
