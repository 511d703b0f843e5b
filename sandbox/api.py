"""The storefront's JSON API, for tests and scripts. docs/sandbox.md shows each call."""

from dataclasses import asdict
from datetime import timedelta
from typing import Any
from uuid import UUID

from flask import Blueprint, current_app, request
from flask.typing import ResponseReturnValue
from pydantic import Field

from sandbox import registration_tokens
from sandbox.actions import ActionRequest
from sandbox.deliveries import ReleaseOrder
from sandbox.events import Event
from sandbox.faults import Faults
from sandbox.pages import current_marketplace
from sandbox.purchases import Order, Purchase
from sandbox.strict_model import StrictModel

blueprint = Blueprint("api", __name__, url_prefix="/api")

MAX_TTL_SECONDS = int(registration_tokens.LIFETIME.total_seconds())


class TokenRequest(StrictModel):
    """The lifetime of a new registration token; a token of 0 seconds has already expired."""

    ttl_seconds: int = Field(default=MAX_TTL_SECONDS, ge=0, le=MAX_TTL_SECONDS)


class ReleaseRequest(StrictModel):
    """The order in which held events are sent."""

    order: ReleaseOrder = "as_happened"


@blueprint.get("/products")
def products() -> ResponseReturnValue:
    """List the products."""
    marketplace = current_marketplace()
    return [
        {
            **asdict(product),
            "dimensions": [dimension.model_dump(mode="json") for dimension in marketplace.dimensions[product.code]],
        }
        for product in marketplace.products.values()
    ]


@blueprint.get("/purchases")
def purchases() -> ResponseReturnValue:
    """List the purchases, latest first."""
    return [_purchase_json(purchase) for purchase in current_marketplace().purchases]


@blueprint.post("/purchases")
def buy() -> ResponseReturnValue:
    """Create a purchase."""
    return _purchase_json(current_marketplace().buy(Order.model_validate(_request_json()))), 201


@blueprint.get("/purchases/<uuid:purchase_id>")
def purchase(purchase_id: UUID) -> ResponseReturnValue:
    """Show one purchase."""
    return _purchase_json(current_marketplace().get_purchase(purchase_id))


@blueprint.post("/purchases/<uuid:purchase_id>/tokens")
def mint(purchase_id: UUID) -> ResponseReturnValue:
    """Mint a registration token, and return the form that a browser would post with it."""
    ttl = timedelta(seconds=TokenRequest.model_validate(_request_json()).ttl_seconds)
    purchase = current_marketplace().get_purchase(purchase_id)
    token = current_marketplace().mint_token(purchase, ttl)
    return {
        "token": token,
        "action": current_app.config["APP_URL"],
        "fields": purchase.form_fields(token, extra=current_marketplace().faults.extra_fields),
    }, 201


@blueprint.post("/purchases/<uuid:purchase_id>/actions")
def act(purchase_id: UUID) -> ResponseReturnValue:
    """Apply an action to a purchase, and return the events that it causes."""
    action = ActionRequest.model_validate(_request_json())
    return _events_json(
        current_marketplace().apply_action(
            current_marketplace().get_purchase(purchase_id), **action.model_dump(exclude_unset=True)
        )
    ), 201


@blueprint.get("/purchases/<uuid:purchase_id>/events")
def events_of(purchase_id: UUID) -> ResponseReturnValue:
    """List the events of one purchase in the order they happened."""
    return _events_json(current_marketplace().events(current_marketplace().get_purchase(purchase_id)))


@blueprint.get("/events")
def events() -> ResponseReturnValue:
    """List the events of all purchases in the order they happened."""
    return _events_json(current_marketplace().events())


@blueprint.post("/events/<event_id>/deliver")
def deliver(event_id: str) -> ResponseReturnValue:
    """Send an event: a held one for the first time, any other one again."""
    return current_marketplace().deliver(event_id).to_json(), 201


@blueprint.post("/events/deliver")
def release() -> ResponseReturnValue:
    """Send every held event, and list them in the order they were sent."""
    return _events_json(current_marketplace().release(order=ReleaseRequest.model_validate(_request_json()).order)), 201


@blueprint.get("/faults")
def faults() -> ResponseReturnValue:
    """Show all faults, on or off."""
    return current_marketplace().faults.model_dump()


@blueprint.put("/faults")
def switch_faults() -> ResponseReturnValue:
    """Switch on the faults in the body and switch off all others."""
    current_marketplace().faults = Faults.model_validate(_request_json())
    return faults()


@blueprint.delete("/faults")
def clear_faults() -> ResponseReturnValue:
    """Switch off every fault."""
    current_marketplace().faults = Faults()
    return faults()


@blueprint.post("/reset")
def reset() -> ResponseReturnValue:
    """Delete every purchase, event, token, fault and mail."""
    current_marketplace().reset()
    return "", 204


def _purchase_json(purchase: Purchase) -> dict[str, Any]:
    return purchase.model_dump(mode="json")


def _events_json(events: list[Event]) -> list[dict[str, Any]]:
    return [event.to_json() for event in events]


def _request_json() -> Any:
    return request.get_json() if request.get_data() else {}
