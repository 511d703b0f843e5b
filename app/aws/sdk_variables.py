"""Finds the SDK's environment variables that caught a quote, a line end or a blank on their way into this process."""

import os

from app.config import stray_characters

# https://boto3.amazonaws.com/v1/documentation/api/latest/guide/configuration.html
KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN")
PROXIES = {"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"}


def find_faults() -> dict[str, str]:
    """Return what is wrong with each faulty variable, by its name, to complete "it has"; never its value."""
    names = [name for name in os.environ if name.startswith("AWS_") or name.upper() in PROXIES]
    faults = {name: _find_fault(name, os.environ[name]) for name in sorted(names)}
    return {name: fault for name, fault in faults.items() if fault}


def _find_fault(name: str, value: str) -> str | None:
    if name not in KEYS:
        return stray_characters.find_in_exact(value)
    return stray_characters.find_in_code(value) or (None if value.isascii() else "a character outside ASCII")
