"""The application, for gunicorn and for `flask --app wsgi`."""

import gc

# What is loaded here is never freed. To scan it for garbage would take a seventh of the start's time.
gc.disable()

from app import create_app  # noqa: E402

app = create_app()
gc.freeze()
gc.enable()
