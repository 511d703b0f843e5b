"""Foyer: the front door between AWS Marketplace and a seller's SaaS product."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask import Flask

    from app.config.settings import Settings

VERSION = "0.1.0"


def create_app(app_settings: Settings | None = None) -> Flask:
    """Return the application, with the given settings or those in the environment.

    Raises:
        SettingsError: a setting is missing or invalid.
    """
    # Imported only here: `foyer --help` and its completion need nothing of it, and answer a second earlier.
    from app import application  # noqa: PLC0415

    return application.create(app_settings)
