"""The pages: each view parses the request, calls one service, and renders or redirects."""

from flask import Flask

from app.views import accept_invitation, api, enter, health, invitations, landing, resume, signup, welcome, well_known
from app.views.errors import init_app as init_errors
from app.views.long_redirects import init_app as init_long_redirects
from app.views.template_helpers import init_app as init_template_helpers


def init_app(app: Flask) -> None:
    """Register the blueprints and the error pages."""
    for part in (landing, signup, welcome, enter, invitations, accept_invitation, resume, health, well_known, api):
        app.register_blueprint(part.blueprint)
    init_template_helpers(app)
    init_errors(app)
    init_long_redirects(app)
