"""A test client that checks every page it fetches against the rules for all pages."""

import re
from typing import Any

from flask.testing import FlaskClient
from justhtml import JustHTML
from werkzeug.test import TestResponse

IDS = re.compile(r'\sid="([^"]*)"')
FRAGMENTS = re.compile(r'href="#([^"]*)"')
LABELS = re.compile(r'<label for="([^"]*)"')


class CheckedClient(FlaskClient):
    """Fails the test that fetched a page against the rules."""

    def open(self, *args: Any, **kwargs: Any) -> TestResponse:
        response = super().open(*args, **kwargs)
        check_response(response)
        return response


def check_response(response: TestResponse) -> None:
    """Assert the rules for every response and, if it is HTML, for every page."""
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert "script-src" not in response.headers["Content-Security-Policy"]
    assert "unsafe" not in response.headers["Content-Security-Policy"]
    if response.mimetype == "text/html" and response.text and not response.location:
        assert response.headers["Cache-Control"] == "no-store"
        check_page(response.text)


def check_page(page: str) -> None:
    """Assert strict HTML, one h1, a mailto link, no script, unique ids, and targets for labels and fragments."""
    JustHTML(page, strict=True, sanitize=False)
    assert page.count("<h1") == 1
    assert "<script" not in page
    assert "style=" not in page
    assert "mailto:" in page
    assert "Traceback" not in page
    ids = IDS.findall(page)
    assert len(ids) == len(set(ids))
    assert set(FRAGMENTS.findall(page)) | set(LABELS.findall(page)) <= set(ids)


def csrf_token(page: str) -> str:
    """Return the CSRF token of the form on the page."""
    field = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page)
    assert field, page
    return field[1]
