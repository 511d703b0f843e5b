"""Lands on a sign-up form; sends and reads that of a product with questions of its own."""

from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.models import Registration
from sandbox.purchases import Purchase
from sandbox.server import Sandbox
from tests.support.asked_questions import FORM
from tests.support.factories import TOKEN_FIELD
from tests.support.page_checks import csrf_token
from tests.support.stored_rows import all_rows


def land(client: FlaskClient, sandbox: Sandbox, purchase: Purchase) -> str:
    """Land with the purchase, and return the form's page."""
    client.post("/", data={TOKEN_FIELD: sandbox.marketplace.mint_token(purchase)})
    return client.get("/signup").text


def send(client: FlaskClient, page: str, **fields: Any) -> TestResponse:
    return client.post("/signup?change=", data={**FORM, **fields, "csrf_token": csrf_token(page)})


def stored(app: Flask) -> dict[str, dict[str, Any]]:
    [registration] = all_rows(app, Registration)
    return {answer["id"]: answer for answer in registration.answers or []}
