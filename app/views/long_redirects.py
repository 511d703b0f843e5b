"""Redirects to a URL that is too long for a header: a page that leads there.

A product may give a URL of 2048 characters, and the sign-in token adds up to 5,000. The browser follows the page as it
follows a redirect: the same GET of the same URL, without JavaScript and without a Referer.
"""

from flask import Flask, Response, render_template
from werkzeug.urls import iri_to_uri

from app.security import headers
from app.views.template_helpers import MAX_REFRESH_URL_LENGTH


def init_app(app: Flask) -> None:
    """Replace each redirect whose Location does not fit into the response's head."""
    app.after_request(_replace_long_redirect)


def _replace_long_redirect(response: Response) -> Response:
    # Longer in the header than here: all but ASCII is percent-encoded.
    url = iri_to_uri(response.location or "")
    # A short one has the room of the Refresh header, which no redirect has: no need to sign the session to know.
    if len(url) <= MAX_REFRESH_URL_LENGTH or len(url) <= headers.free_head_bytes():
        return response
    del response.headers["Location"]
    response.status_code = 200
    response.mimetype = "text/html"
    response.set_data(render_template("redirect.html", url=url))
    return response
