"""The pages: each parses the request, calls one service, and answers."""

from flask import Flask

from app.views import (
    api,
    entry,
    errors,
    health,
    invitation,
    invite,
    landing,
    pages,
    resume,
    signup,
    welcome,
    well_known,
)


def init_app(app: Flask) -> None:
    """Put the pages on the application."""
    for part in (landing, signup, welcome, entry, invite, invitation, resume, health, well_known):
        app.register_blueprint(part.blueprint)
    api.init_app(app)
    pages.init_app(app)
    errors.init_app(app)
