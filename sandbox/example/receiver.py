"""POST /foyer: receives hand-offs. Sellers copy this module; docs/receiver.md explains it."""

from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Response, current_app, jsonify, make_response, request, url_for
from pydantic import ValidationError
from standardwebhooks import Webhook, WebhookVerificationError

from sandbox.example.handoffs import Handoff
from sandbox.example.tenants import LinkRefused, Tenants
from sandbox.example.troubles import CurrentTroubles

blueprint = Blueprint("receiver", __name__)

INVALID_SIGNATURE_MESSAGE = (
    "The signature fits none of the product's secrets, or is more than five minutes old. Compare "
    "HANDOFF_SECRET in Foyer's settings with the product's, and the clocks of both machines.\n"
)
INVALID_HANDOFF_MESSAGE = (
    "The signature is valid, but the body is not a hand-off of version 1. Compare the product's models with "
    "Foyer's version.\n"
)
MAX_RECEIVED = 12


class InvalidSignature(Exception):
    """The signature fits none of the secrets, or is too old."""


@dataclass(frozen=True)
class ReceivedHandoff:
    """A hand-off as the front page lists it, without personal data."""

    event: str
    sequence: int
    subscription: str
    reply: str


@blueprint.post("/foyer")
def receive() -> Response:
    """Verify and apply a hand-off, and reply with the account of its subscription."""
    if error_response := _simulate_troubles():
        return error_response
    try:
        body = verify_signature(current_app.config["HANDOFF_SECRETS"], request.get_data(), dict(request.headers))
        handoff = Handoff.model_validate(body)
    except InvalidSignature:
        return _text_response(INVALID_SIGNATURE_MESSAGE, 401)
    except ValidationError:
        return _text_response(INVALID_HANDOFF_MESSAGE, 400)
    reply = _reply_to(handoff)
    received_handoffs().appendleft(_summarize(handoff, reply))
    return jsonify(reply)


def verify_signature(secrets: Iterable[str], body: bytes, headers: dict[str, str]) -> Any:
    """Return the decoded JSON of a body. Any of the secrets may fit: during a rotation there are several.

    Raises:
        InvalidSignature: the body was sent by someone else, was changed in transit, or is too old.
    """
    for secret in secrets:
        # The library raises ValueError for headers and bodies that it cannot decode.
        with suppress(WebhookVerificationError, ValueError):
            return Webhook(secret).verify(body, headers)
    raise InvalidSignature


def received_handoffs() -> deque[ReceivedHandoff]:
    """Return the latest hand-offs, the newest first."""
    handoffs: deque[ReceivedHandoff] = current_app.extensions["received"]
    return handoffs


def current_troubles() -> CurrentTroubles:
    """Return the troubles of the product that serves this request."""
    troubles: CurrentTroubles = current_app.extensions["troubles"]
    return troubles


def _reply_to(handoff: Handoff) -> dict[str, str]:
    tenants: Tenants = current_app.extensions["tenants"]
    try:
        tenant = tenants.apply_handoff(request.headers["webhook-id"], handoff, current_troubles().settings.refuses)
    except LinkRefused as refusal:
        return {"refused": refusal.reason}
    if tenant is None:
        return {}
    # The configured URL, because the signature does not cover the Host header.
    path = url_for("buyer_sign_in.enter", reference=tenant.reference, _external=False)
    return {"url": f"{current_app.config['URL']}{path}", "reference": tenant.reference}


def _summarize(handoff: Handoff, reply: dict[str, str]) -> ReceivedHandoff:
    outcome = reply.get("reference") or reply.get("refused") or "without an account"
    return ReceivedHandoff(handoff.type, handoff.data.sequence, handoff.data.subscription.id, outcome)


def _simulate_troubles() -> Response | None:
    current_troubles().wait_if_slow()
    troubles = current_troubles().settings
    if troubles.down:
        return _text_response("The example product is simulating an outage.\n", 503)
    if troubles.busy:
        response = _text_response("The example product is simulating overload.\n", 503)
        response.headers["Retry-After"] = "2"
        return response
    if troubles.gone:
        return _text_response("The example product is simulating a removed endpoint.\n", 410)
    return None


def _text_response(text: str, status: int) -> Response:
    response = make_response(text, status)
    response.mimetype = "text/plain"
    return response
