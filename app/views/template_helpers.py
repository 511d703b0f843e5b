"""What every template can use: the stylesheet's address, the products, and identifiers written for people."""

from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from urllib.parse import quote

from flask import Flask, request, url_for

from app.aws.get_entitlements import EntitlementValue
from app.config import products
from app.services.purchases.text import format_date, format_time
from app.services.signup import erasure


def init_app(app: Flask) -> None:
    """Give the templates their filters and the addresses of static files."""
    app.config["SEND_FILE_MAX_AGE_DEFAULT"] = 365 * 24 * 60 * 60
    folder = Path(str(app.static_folder))
    versions = {path.name: sha256(path.read_bytes()).hexdigest()[:12] for path in folder.iterdir()}
    app.jinja_env.globals["is_still"] = is_refresh_paused
    app.jinja_env.globals["static_url"] = lambda name: url_for("static", filename=name, v=versions[name])
    app.jinja_env.filters.update(masked=mask_identifier, masked_email=erasure.mask_email)
    app.jinja_env.filters.update(
        day=format_date, clock=format_time, printable=strip_unprintable, quantity=format_quantity
    )
    app.context_processor(lambda: {"products": products.current().values()})
    app.jinja_env.trim_blocks = True
    app.jinja_env.lstrip_blocks = True


def refresh_header(seconds: int | str) -> str:
    """Return the Refresh header with which the browser asks for this page again after so many seconds.

    Without the address, a browser that followed a link within the page would only scroll there again.
    """
    asked = f"{quote(request.path, safe='/=')}?{request.query_string.decode('ascii', 'ignore')}".rstrip("?")
    return f"{seconds}; url={asked}"


def is_refresh_paused() -> bool:
    """Return whether the buyer has asked that the page does not come again by itself.

    Each time it does, who reads with a screen reader or goes with the keyboard begins at its top.
    """
    return "still" in request.args


def mask_identifier(identifier: str) -> str:
    """Return the identifier with all but its last four characters masked, in groups of four."""
    hidden = erasure.MASK * max(len(identifier) - 4, 0) + identifier[-4:]
    return " ".join(hidden[max(start - 4, 0) : start] for start in range(len(hidden) % 4 or 4, len(hidden) + 1, 4))


def format_quantity(value: EntitlementValue | None) -> str:
    """Return how much of a dimension a contract covers, as in Yes, or in 12,500.5; empty where AWS did not say."""
    if isinstance(value, bool):
        return "Yes" if value else "No"
    if isinstance(value, int | float):
        # As AWS wrote it: a float's own way would be 1e+16.
        return f"{Decimal(str(value)):,f}".removesuffix(".0")
    return strip_unprintable(value or "")


def strip_unprintable(text: str) -> str:
    """Return the text without what no HTML can hold."""
    return "".join(filter(str.isprintable, text))
