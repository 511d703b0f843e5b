"""Calls the storefront's JSON API."""

import requests

from sandbox.server import Sandbox


def call_api(sandbox: Sandbox, method: str, path: str, body: object = None) -> requests.Response:
    """Return the response of the storefront's JSON API; `path` begins with a slash."""
    return requests.request(method, f"{sandbox.storefront_url}/api{path}", json=body, timeout=30)
