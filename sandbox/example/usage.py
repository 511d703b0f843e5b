"""Meters what a customer uses: the button on the page of a tenant, and the list of what was used."""

from flask import Blueprint, abort, current_app, redirect, request, url_for
from flask.typing import ResponseReturnValue

from sandbox.example.buyer_sign_in import current_session, current_tenants
from sandbox.example.usage_sender import UsageSender

blueprint = Blueprint("usage", __name__)

DIMENSION = "gb_processed"
# Decimals are sent as text: a JSON number is not exact.
QUANTITY = "1.5"


@blueprint.post("/t/<reference>/usage")
def use(reference: str) -> ResponseReturnValue:
    """Record that the tenant used 1.5 GB just now, and send it."""
    tenant, _ = current_session()
    if tenant is None or tenant.reference != reference:
        return redirect(url_for("buyer_sign_in.login", account=reference), 303)
    subscription = current_tenants().state.subscription(request.form.get("subscription"))
    if subscription is None or subscription.tenant != reference:
        abort(404, "This account has no such subscription.")
    # Stored before it is sent: a crash in between loses nothing.
    current_tenants().record_usage(subscription, DIMENSION, QUANTITY, current_sender().now())
    current_sender().send(current_app.config["SITE_URL"])
    return redirect(url_for("buyer_sign_in.home", reference=reference, _anchor=f"usage-{subscription.id}"), 303)


@blueprint.get("/usage.json")
def items() -> ResponseReturnValue:
    """List all usage, for the invoices of the pretend marketplace."""
    return [
        {
            **item.model_dump(mode="json", include={"product_code", "license", "dimension", "quantity", "at"}),
            "is_accepted": item.state == "accepted",
        }
        for item in current_tenants().state.usage
        if item.state in ("unsent", "accepted")
    ]


def current_sender() -> UsageSender:
    """Return the sender of the product that serves this request."""
    sender: UsageSender = current_app.extensions["usage_sender"]
    return sender
