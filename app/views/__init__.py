"""The pages: each view parses the request, calls one service, and renders or redirects."""

from flask import Flask

from app.config.settings import Settings
from app.views import (
    accept_invitation,
    api,
    brand,
    enter,
    health,
    invitations,
    landing,
    languages,
    resume,
    signup,
    static_files,
    welcome,
    well_known,
)
from app.views.errors import init_app as init_errors
from app.views.long_redirects import init_app as init_long_redirects
from app.views.template_helpers import init_app as init_template_helpers


def init_app(app: Flask, settings: Settings) -> None:
    """Register the blueprints and the error pages.

    Raises:
        SettingsError: one of LANDING_PATHS leads to a page of Foyer's own.
    """
    buyer_pages = (landing, signup, welcome, enter, invitations, accept_invitation, resume, languages)
    for part in (*buyer_pages, brand, health, well_known, api):
        app.register_blueprint(part.blueprint)
    landing.add_paths(app, settings.landing_paths)
    languages.init_app(app)
    static_files.init_app(app)
    init_template_helpers(app)
    init_errors(app)
    init_long_redirects(app)
