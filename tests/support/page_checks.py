"""A test client that holds every page it fetches to the rules all pages share."""

import re
from typing import Any

from flask.testing import FlaskClient
from justhtml import JustHTML
from werkzeug.test import TestResponse

IDS = re.compile(r'\sid="([^"]*)"')
FRAGMENTS = re.compile(r'href="#([^"]*)"')
LABELS = re.compile(r'<label for="([^"]*)"')


class CheckedClient(FlaskClient):
    """Fetches pages, and fails the test that fetched a bad one."""

    def open(self, *args: Any, **kwargs: Any) -> TestResponse:
        """Return the response to a request, its page checked."""
        response = super().open(*args, **kwargs)
        check_response(response)
        return response


def check_response(response: TestResponse) -> None:
    """Assert what is true of every response, and of every page."""
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert "script-src" not in response.headers["Content-Security-Policy"]
    assert "unsafe" not in response.headers["Content-Security-Policy"]
    if response.mimetype == "text/html" and response.text and not response.location:
        assert response.headers["Cache-Control"] == "no-store"
        check_page(response.text)


def check_page(page: str) -> None:
    """Assert that the page is strict HTML with one heading, a way to help, no script, and links that lead somewhere."""
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
    """Return the CSRF token in the sign-up form."""
    found = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page)
    assert found, page
    return found[1]
