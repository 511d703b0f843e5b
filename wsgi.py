"""Where gunicorn and the flask command find the application."""

import gc

# What is loaded at the start stays for good: to look through it for rubbish would take a seventh of the time.
gc.disable()

from app import create_app  # noqa: E402

app = create_app()
gc.freeze()
gc.enable()
