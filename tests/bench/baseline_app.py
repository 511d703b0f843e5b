"""The reference: a Flask view that only calls ResolveCustomer, sets the session and redirects."""

from collections.abc import Callable
from typing import Any

import boto3
from botocore.config import Config
from flask import Flask, redirect, request, session
from werkzeug import Response


def create_app(store: Callable[[Any], None] | None = None) -> Flask:
    """Return the application, which passes each customer to `store` where one is given."""
    app = Flask(__name__)
    app.secret_key = "for-the-bench-only-0123456789abcdef"
    # A connection for each thread: with boto3's default of ten, most calls would open a new one.
    metering_client = boto3.client("meteringmarketplace", config=Config(max_pool_connections=64))

    @app.post("/")
    def resolve_token() -> Response:
        customer = metering_client.resolve_customer(RegistrationToken=request.form["x-amzn-marketplace-token"])
        if store:
            store(customer)
        session["CustomerIdentifier"] = customer.get("CustomerIdentifier")
        session["ProductCode"] = customer["ProductCode"]
        session["CustomerAWSAccountId"] = customer["CustomerAWSAccountId"]
        session["LicenseArn"] = customer["LicenseArn"]
        session["AgreementId"] = customer["Metadata"]["AgreementId"]
        return redirect("/signup", 303)

    @app.get("/healthz")
    def healthz() -> str:
        return "ok\n"

    return app
