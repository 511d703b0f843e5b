"""The app with the settings and the products file as they are now."""

import threading
from dataclasses import replace

from flask import Flask

import app
from app.cli.products import describe_faults
from app.config import products, settings
from app.config.settings import SettingsError


class FaultyProducts(ValueError):
    """The products cannot be shown; its text says what is wrong and how to mend it."""


class ShownApp:
    """Reads the products at each request; makes the app anew only where they changed. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._app: Flask | None = None

    def current(self) -> Flask:
        """Return the app, which sells what the file says now.

        Raises:
            FaultyProducts: the file, or another setting, has faults.
        """
        path = None
        try:
            # Its requests come from the gallery alone, which has no name of those.
            values = replace(settings.load(), trusted_hosts=())
            path = values.products_file
            configured = products.load(values)
            with self._lock:
                if self._app is None or self._app.extensions["products"] != configured:
                    self._app = app.create_app(values)
                return self._app
        except SettingsError as error:
            raise FaultyProducts(describe_faults(path, error)) from None
