"""The pages: each view parses the request, calls one service, and renders or redirects."""

from flask import Flask

from app.views import (
    accept_invitation,
    api,
    enter,
    errors,
    health,
    invitations,
    landing,
    resume,
    signup,
    template_helpers,
    welcome,
    well_known,
)


def init_app(app: Flask) -> None:
    """Register the blueprints and the error pages."""
    for part in (landing, signup, welcome, enter, invitations, accept_invitation, resume, health, well_known):
        app.register_blueprint(part.blueprint)
    api.init_app(app)
    template_helpers.init_app(app)
    errors.init_app(app)
