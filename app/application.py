"""Builds the application of its parts: `app.create_app` calls `create`."""

from pathlib import Path
from typing import TypeVar

from flask import Flask

from app import cli, deadline, views
from app.aws import clients, database_tokens, queue, resolve_customer
from app.config import handoff_endpoints, products, settings
from app.config.settings import THREADS, Settings
from app.database import engine
from app.mail import mailer
from app.observability import logs
from app.security import encryption, headers, rate_counters, sign_in_tokens

T = TypeVar("T")

TEMPLATES_DIR = Path(__file__).parent.parent / "templates"


class Application(Flask):
    """A Flask application of which no view and no hook is asynchronous: Flask would look at each, at each call."""

    def ensure_sync(self, func: T) -> T:
        """Return the function as it is; an asynchronous one would not work."""
        return func


def create(app_settings: Settings | None) -> Flask:
    """Return the application with these settings, or those in the environment; see `app.create_app`."""
    app = Application("app", template_folder=TEMPLATES_DIR)
    values = app_settings or settings.load()
    app.config.update(THREADS=THREADS, RETENTION_DAYS=values.retention_days, SITE_URL=values.site_url)
    app.config["HANDOFF_ALLOW_PRIVATE"] = values.handoff_allow_private
    deadline.init_app(app)
    logs.init_app(app, values)
    headers.init_app(app, values)
    encryption.init_app(app, values)
    sign_in_tokens.init_app(app, values)
    products.init_app(app, values)
    headers.allow_longer_form(app, app.extensions["products"].max_answer_characters)
    handoff_endpoints.init_app(app, values)
    engine.init_app(app, values, database_tokens.maker(values))
    rate_counters.init_app(app, values)
    clients.init_app(app, values)
    resolve_customer.init_app(app)
    queue.init_app(app, values)
    mailer.init_app(app, values)
    views.init_app(app, values)
    cli.init_app(app)
    return app
