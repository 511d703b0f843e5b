"""What every template can use: the stylesheet's address, the products, and identifiers written for people."""

from datetime import datetime
from hashlib import sha256
from pathlib import Path

from flask import Flask, url_for

from app import products
from app.services import privacy


def init_app(app: Flask) -> None:
    """Give the templates their filters and the addresses of static files."""
    app.config["SEND_FILE_MAX_AGE_DEFAULT"] = 365 * 24 * 60 * 60
    folder = Path(str(app.static_folder))
    versions = {path.name: sha256(path.read_bytes()).hexdigest()[:12] for path in folder.iterdir()}
    app.jinja_env.globals["static_url"] = lambda name: url_for("static", filename=name, v=versions[name])
    app.jinja_env.filters.update(masked=masked, masked_email=privacy.masked_email, day=day)
    app.context_processor(lambda: {"products": products.current().values()})
    app.jinja_env.trim_blocks = True
    app.jinja_env.lstrip_blocks = True


def masked(identifier: str) -> str:
    """Return the identifier with all but its last four characters masked, in groups of four."""
    hidden = privacy.MASK * max(len(identifier) - 4, 0) + identifier[-4:]
    return " ".join(hidden[max(start - 4, 0) : start] for start in range(len(hidden) % 4 or 4, len(hidden) + 1, 4))


def day(moment: datetime) -> str:
    """Return the moment's day in UTC, as in 3 November 2026."""
    return f"{moment.day} {moment:%B %Y}"
