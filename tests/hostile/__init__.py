"""Tests of hostile requests: malformed bodies, slow clients, forged cookies and headers."""
