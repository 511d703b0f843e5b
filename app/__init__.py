"""Foyer: the front door between AWS Marketplace and a seller's SaaS product."""

from pathlib import Path

from flask import Flask

from app import assertions, cli, counters, database, logs, mail, products, receivers, sealing, security, settings, views
from app.aws import clients, marketplace, queue
from app.settings import THREADS, Settings

TEMPLATES = Path(__file__).parent.parent / "templates"


def create_app(chosen: Settings | None = None) -> Flask:
    """Return the application, with the settings given or those in the environment.

    Raises:
        SettingsError: a setting is missing or odd.
    """
    app = Flask(__name__, template_folder=TEMPLATES)
    app.config["THREADS"] = THREADS
    values = chosen or settings.load()
    app.config["RETENTION_DAYS"] = values.retention_days
    app.config["SITE_URL"] = values.site_url
    app.config["HANDOFF_ALLOW_PRIVATE"] = values.handoff_allow_private
    logs.init_app(app, values)
    security.init_app(app, values)
    sealing.init_app(app, values)
    assertions.init_app(app, values)
    products.init_app(app, values)
    receivers.init_app(app, values)
    database.init_app(app, values)
    counters.init_app(app, values)
    clients.init_app(app, values)
    marketplace.init_app(app)
    queue.init_app(app, values)
    mail.init_app(app, values)
    views.init_app(app)
    cli.init_app(app)
    return app
