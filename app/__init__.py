"""Foyer: the front door between AWS Marketplace and a seller's SaaS product."""

from pathlib import Path

from flask import Flask

from app import cli, deadline, views
from app.aws import clients, queue, resolve_customer
from app.config import handoff_endpoints, products, settings
from app.config.settings import THREADS, Settings
from app.database import engine
from app.mail import mailer
from app.observability import logs
from app.security import encryption, headers, rate_counters, sign_in_tokens

TEMPLATES_DIR = Path(__file__).parent.parent / "templates"


def create_app(app_settings: Settings | None = None) -> Flask:
    """Return the application, with the given settings or those in the environment.

    Raises:
        SettingsError: a setting is missing or invalid.
    """
    app = Flask(__name__, template_folder=TEMPLATES_DIR)
    values = app_settings or settings.load()
    app.config.update(THREADS=THREADS, RETENTION_DAYS=values.retention_days, SITE_URL=values.site_url)
    app.config["HANDOFF_ALLOW_PRIVATE"] = values.handoff_allow_private
    deadline.init_app(app)
    logs.init_app(app, values)
    headers.init_app(app, values)
    encryption.init_app(app, values)
    sign_in_tokens.init_app(app, values)
    products.init_app(app, values)
    handoff_endpoints.init_app(app, values)
    engine.init_app(app, values)
    rate_counters.init_app(app, values)
    clients.init_app(app, values)
    resolve_customer.init_app(app)
    queue.init_app(app, values)
    mailer.init_app(app, values)
    views.init_app(app)
    cli.init_app(app)
    return app
