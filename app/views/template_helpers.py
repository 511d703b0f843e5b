"""The filters and globals of the pages' templates: the products, masked identifiers and quantities."""

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from urllib.parse import quote

from flask import Flask, request
from jinja2 import Environment
from jinja2.ext import Extension
from jinja2.filters import do_xmlattr
from jinja2.nodes import EvalContext

from app import text
from app.aws.get_entitlements import EntitlementValue
from app.config import products
from app.languages import formats, templates
from app.languages.speech import gettext

# The query parameters in links of our pages.
PAGE_QUERY_PARAMETERS = ("change", "still")
# Our longest path is that of a link to a registration's page.
MAX_REFRESH_URL_LENGTH = 200
INDENTATION = re.compile(r"^[ \t]+", re.MULTILINE)


class _Unindented(Extension):
    """Makes each indentation of a template one blank, which may part two sentences. It is a fifth of a page's bytes."""

    def preprocess(self, source: str, name: str | None, filename: str | None = None) -> str:  # noqa: ARG002
        return INDENTATION.sub(" ", source)


def init_app(app: Flask) -> None:
    """Register the filters and globals."""
    app.jinja_env.globals["is_refresh_paused"] = is_refresh_paused
    app.jinja_env.filters.update(masked=mask_identifier, masked_email=text.mask_email, quantity=format_quantity)
    app.jinja_env.filters["printable"] = text.strip_unprintable
    app.jinja_env.filters["xmlattr"] = _xmlattr(app.jinja_env)
    templates.init_environment(app.jinja_env)
    app.context_processor(_products)
    app.jinja_env.trim_blocks = True
    app.jinja_env.lstrip_blocks = True
    app.jinja_env.add_extension(_Unindented)


def _xmlattr(environment: Environment) -> Callable[[Mapping[str, object]], str]:
    """Return Jinja's filter with a cache: to write the attributes of a form's fields again took a fortieth of it.

    Never for what a buyer typed: it would be kept, and text that is escaped already equals text that is not.
    """
    context = EvalContext(environment, "page.html")

    @lru_cache(maxsize=1024)
    def write(attributes: tuple[tuple[str, object], ...]) -> str:
        return do_xmlattr(context, dict(attributes))

    return lambda attributes: write(tuple(attributes.items()))


def _products() -> dict[str, object]:
    configured = products.current()
    return {"products": configured.values(), "single_product": configured.single, "has_logo": configured.has_logo}


def refresh_header(seconds: int | str) -> str:
    """Return the Refresh header that reloads this page after so many seconds.

    The header names the URL: without it, a browser that followed a `#fragment` link only scrolls there again. What else
    a visitor put into the URL is left out: it would make the response's head as long as they like.
    """
    url = f"{quote(request.path, safe='/=')}?{page_query()}".rstrip("?")
    return f"{seconds}; url={url}" if len(url) <= MAX_REFRESH_URL_LENGTH else str(seconds)


def page_query() -> str:
    """Return which query parameters of our pages this request has, as in change&still."""
    return "&".join(name for name in PAGE_QUERY_PARAMETERS if name in request.args)


def root_path() -> str:
    """Return the path under which Foyer is mounted, without a slash at its end."""
    return request.root_path.rstrip("/")


def is_refresh_paused() -> bool:
    """Return whether the buyer turned automatic refresh off, with `?still`.

    Each refresh sends a reader with a screen reader or a keyboard back to the top of the page (WCAG 2.2.2).
    """
    return "still" in request.args


def mask_identifier(identifier: str) -> str:
    """Return the identifier with all but its last four characters masked, in groups of four."""
    masked = text.MASK * max(len(identifier) - 4, 0) + identifier[-4:]
    return " ".join(masked[max(end - 4, 0) : end] for end in range(len(masked) % 4 or 4, len(masked) + 1, 4))


def format_quantity(value: EntitlementValue | None) -> str:
    """Return an entitlement's value as in Yes, or in 12,500.5; empty where AWS gave none."""
    if isinstance(value, bool):
        # TRANSLATORS: whether a contract has something, such as "Priority support: Yes"
        return gettext("Yes") if value else gettext("No")
    if isinstance(value, int | float):
        return formats.number(value)
    return text.strip_unprintable(value or "")
