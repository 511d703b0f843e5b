"""POST /foyer: receives hand-offs. This is what a seller copies; docs/receiver.md explains it."""

from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Response, current_app, jsonify, make_response, request, url_for
from pydantic import ValidationError
from standardwebhooks import Webhook, WebhookVerificationError

from sandbox.example.handoffs import Event
from sandbox.example.tenants import Refused, Tenants
from sandbox.example.troubles import Trouble

receiver = Blueprint("receiver", __name__)

UNSIGNED = (
    "This is not signed with a secret that is known here, or it was signed more than five minutes ago. Compare "
    "HANDOFF_SECRET in Foyer's settings with the product's, and the clocks of both machines.\n"
)
ODD = "This is signed, but it is not a hand-off of version 1. Compare the product's models with Foyer's version.\n"
SHOWN = 12


class Unsigned(Exception):
    """No secret that is known fits the signature, or it is too old."""


@dataclass(frozen=True)
class Received:
    """A hand-off as the front page lists it; nothing personal."""

    event: str
    sequence: int
    subscription: str
    answer: str


@receiver.post("/foyer")
def receive() -> Response:
    """Verify a hand-off, act on it, and answer with the account that its subscription is in."""
    if trouble := _trouble():
        return trouble
    try:
        hand_off = verified(current_app.config["HANDOFF_SECRETS"], request.get_data(), dict(request.headers))
        event = Event.model_validate(hand_off)
    except Unsigned:
        return _plain(UNSIGNED, 401)
    except ValidationError:
        return _plain(ODD, 400)
    answer = _answer(event)
    received().appendleft(_noted(event, answer))
    return jsonify(answer)


def verified(secrets: Iterable[str], body: bytes, headers: dict[str, str]) -> Any:
    """Return the hand-off that a body holds. While secrets rotate there are several, each of which will do.

    Raises:
        Unsigned: it is from somebody else, was changed on its way, or is too old.
    """
    for secret in secrets:
        # Headers or bodies that cannot even be decoded are ValueErrors of the library.
        with suppress(WebhookVerificationError, ValueError):
            return Webhook(secret).verify(body, headers)
    raise Unsigned


def received() -> deque[Received]:
    """Return the hand-offs received of late, the latest first."""
    kept: deque[Received] = current_app.extensions["received"]
    return kept


def _answer(event: Event) -> dict[str, str]:
    tenants: Tenants = current_app.extensions["tenants"]
    trouble: Trouble = current_app.extensions["trouble"]
    try:
        tenant = tenants.take(request.headers["webhook-id"], event, trouble.present.refuses)
    except Refused as refused:
        return {"refused": refused.reason}
    if tenant is None:
        return {}
    # The product's own address from its settings: the Host header is not part of what was signed.
    way_in = url_for("entry.enter", reference=tenant.reference, _external=False)
    return {"url": f"{current_app.config['URL']}{way_in}", "reference": tenant.reference}


def _noted(event: Event, answer: dict[str, str]) -> Received:
    told = answer.get("reference") or answer.get("refused") or "without an account"
    return Received(event.type, event.data.sequence, event.data.subscription.id, told)


def _trouble() -> Response | None:
    trouble: Trouble = current_app.extensions["trouble"]
    trouble.linger()
    if trouble.present.down:
        return _plain("The example product pretends to be down.\n", 503)
    if trouble.present.busy:
        response = _plain("The example product pretends to be busy.\n", 503)
        response.headers["Retry-After"] = "2"
        return response
    return _plain("The example product pretends to be gone.\n", 410) if trouble.present.gone else None


def _plain(text: str, status: int) -> Response:
    response = make_response(text, status)
    response.mimetype = "text/plain"
    return response
