"""POST /foyer: receives hand-offs. This is what a seller copies; docs/receiver.md explains it."""

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
    "This is not signed with a secret that is known here, or it was signed more than five minutes ago. Compare "
    "HANDOFF_SECRET in Foyer's settings with the product's, and the clocks of both machines.\n"
)
INVALID_HANDOFF_MESSAGE = (
    "This is signed, but it is not a hand-off of version 1. Compare the product's models with Foyer's version.\n"
)
MAX_RECEIVED = 12


class InvalidSignature(Exception):
    """No secret that is known fits the signature, or it is too old."""


@dataclass(frozen=True)
class ReceivedHandoff:
    """A hand-off as the front page lists it; nothing personal."""

    event: str
    sequence: int
    subscription: str
    reply: str


@blueprint.post("/foyer")
def receive() -> Response:
    """Verify a hand-off, act on it, and answer with the account that its subscription is in."""
    if trouble := _simulate_troubles():
        return trouble
    try:
        hand_off = verify_signature(current_app.config["HANDOFF_SECRETS"], request.get_data(), dict(request.headers))
        event = Handoff.model_validate(hand_off)
    except InvalidSignature:
        return _text_response(INVALID_SIGNATURE_MESSAGE, 401)
    except ValidationError:
        return _text_response(INVALID_HANDOFF_MESSAGE, 400)
    answer = _reply_to(event)
    received_handoffs().appendleft(_summarize(event, answer))
    return jsonify(answer)


def verify_signature(secrets: Iterable[str], body: bytes, headers: dict[str, str]) -> Any:
    """Return the hand-off that a body holds. While secrets rotate there are several, each of which will do.

    Raises:
        Unsigned: it is from somebody else, was changed on its way, or is too old.
    """
    for secret in secrets:
        # Headers or bodies that cannot even be decoded are ValueErrors of the library.
        with suppress(WebhookVerificationError, ValueError):
            return Webhook(secret).verify(body, headers)
    raise InvalidSignature


def received_handoffs() -> deque[ReceivedHandoff]:
    """Return the hand-offs received of late, the latest first."""
    kept: deque[ReceivedHandoff] = current_app.extensions["received"]
    return kept


def _reply_to(handoff: Handoff) -> dict[str, str]:
    tenants: Tenants = current_app.extensions["tenants"]
    trouble: CurrentTroubles = current_app.extensions["trouble"]
    try:
        tenant = tenants.apply_handoff(request.headers["webhook-id"], handoff, trouble.settings.refuses)
    except LinkRefused as refused:
        return {"refused": refused.reason}
    if tenant is None:
        return {}
    # The product's own address from its settings: the Host header is not part of what was signed.
    way_in = url_for("entry.enter", reference=tenant.reference, _external=False)
    return {"url": f"{current_app.config['URL']}{way_in}", "reference": tenant.reference}


def _summarize(handoff: Handoff, reply: dict[str, str]) -> ReceivedHandoff:
    told = reply.get("reference") or reply.get("refused") or "without an account"
    return ReceivedHandoff(handoff.type, handoff.data.sequence, handoff.data.subscription.id, told)


def _simulate_troubles() -> Response | None:
    trouble: CurrentTroubles = current_app.extensions["trouble"]
    trouble.wait_if_slow()
    if trouble.settings.down:
        return _text_response("The example product pretends to be down.\n", 503)
    if trouble.settings.busy:
        response = _text_response("The example product pretends to be busy.\n", 503)
        response.headers["Retry-After"] = "2"
        return response
    return _text_response("The example product pretends to be gone.\n", 410) if trouble.settings.gone else None


def _text_response(text: str, status: int) -> Response:
    response = make_response(text, status)
    response.mimetype = "text/plain"
    return response
