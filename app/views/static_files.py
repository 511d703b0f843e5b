"""Our own style sheet and pictures: what pages call them, and how they are sent."""

import gzip
from functools import lru_cache
from hashlib import sha256
from pathlib import Path

from flask import Flask, Response, request

from app.views import template_helpers

YEAR_SECONDS = 365 * 24 * 60 * 60
TEXT_TYPES = {"text/css", "image/svg+xml"}
ENDPOINTS = {"static", "brand.show"}


def init_app(app: Flask) -> None:
    """Register `static_url` for templates. A URL has its file's hash, so browsers may cache it for a year."""
    app.config["SEND_FILE_MAX_AGE_DEFAULT"] = YEAR_SECONDS
    folder = Path(str(app.static_folder))
    # `url_for` takes a tenth of a page's time for these alone.
    paths = {
        path.name: f"{app.static_url_path}/{path.name}?v={sha256(path.read_bytes()).hexdigest()[:12]}"
        for path in folder.iterdir()
    }
    app.jinja_env.globals["static_url"] = lambda name: template_helpers.root_path() + paths[name]
    app.after_request(_compress)


def _compress(response: Response) -> Response:
    """Compress a style sheet or an SVG. Pages are not: what is in one could be guessed from its length (BREACH)."""
    if request.endpoint in ENDPOINTS and response.mimetype in TEXT_TYPES:
        response.vary.add("Accept-Encoding")
        if request.accept_encodings.quality("gzip"):
            etag, _ = response.get_etag()
            if etag:
                response.set_etag(etag, weak=True)
            if response.status_code == 200:
                response.direct_passthrough = False
                response.set_data(_gzip(response.get_data()))
                response.content_encoding = "gzip"
                # A range would be one of the file as it is.
                response.headers.pop("Accept-Ranges", None)
    return response


@lru_cache(maxsize=64)
def _gzip(content: bytes) -> bytes:
    return gzip.compress(content, mtime=0)
