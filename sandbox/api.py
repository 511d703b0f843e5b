"""The storefront's JSON API: what its pages do, for tests and scripts. docs/sandbox.md shows each call."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from flask import Blueprint, current_app, request
from flask.typing import ResponseReturnValue
from pydantic import BaseModel, ConfigDict, Field

from sandbox import tokens
from sandbox.deliveries import Sequence
from sandbox.events import Event
from sandbox.faults import Faults
from sandbox.lives import Act
from sandbox.pages import world
from sandbox.purchases import Order, Purchase

api = Blueprint("api", __name__, url_prefix="/api")


class TokenOrder(BaseModel):
    """How long a registration token shall be good; with 0 seconds it has expired already."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    ttl_seconds: int = Field(
        default=int(tokens.LIFETIME.total_seconds()), ge=0, le=int(tokens.LIFETIME.total_seconds())
    )


class Release(BaseModel):
    """In which order the events that are held back shall be sent."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    order: Sequence = "as_happened"


@api.get("/products")
def products() -> ResponseReturnValue:
    """List what is for sale."""
    return [product.model_dump() for product in world().products.values()]


@api.get("/purchases")
def purchases() -> ResponseReturnValue:
    """List the purchases, the latest first."""
    return [_shown(purchase) for purchase in world().purchases]


@api.post("/purchases")
def buy() -> ResponseReturnValue:
    """Take an order."""
    return _shown(world().buy(Order.model_validate(_body()))), 201


@api.get("/purchases/<uuid:purchase_id>")
def purchase(purchase_id: UUID) -> ResponseReturnValue:
    """Show one purchase."""
    return _shown(world().purchase(purchase_id))


@api.post("/purchases/<uuid:purchase_id>/tokens")
def mint(purchase_id: UUID) -> ResponseReturnValue:
    """Mint a registration token, and say what form a browser would post it with."""
    asked = TokenOrder.model_validate(_body())
    found = world().purchase(purchase_id)
    token = world().mint(found, timedelta(seconds=asked.ttl_seconds))
    return {
        "token": token,
        "action": current_app.config["APP_URL"],
        "fields": found.form_fields(token, extra=world().faults.extra_fields),
    }, 201


@api.post("/purchases/<uuid:purchase_id>/actions")
def act(purchase_id: UUID) -> ResponseReturnValue:
    """Let something happen to a purchase, and show the events that it causes."""
    act = Act.model_validate(_body())
    return _travelling(world().act(world().purchase(purchase_id), **act.model_dump(exclude_unset=True))), 201


@api.get("/purchases/<uuid:purchase_id>/events")
def events_of(purchase_id: UUID) -> ResponseReturnValue:
    """List the events of one purchase, as they happened."""
    return _travelling(world().events(world().purchase(purchase_id)))


@api.get("/events")
def events() -> ResponseReturnValue:
    """List the events of every purchase, as they happened."""
    return _travelling(world().events())


@api.post("/events/<event_id>/deliver")
def deliver(event_id: str) -> ResponseReturnValue:
    """Send an event that is held back, or send another one again."""
    return world().deliver(event_id).shown(), 201


@api.post("/events/deliver")
def release() -> ResponseReturnValue:
    """Send every event that is held back, and list them as they were sent."""
    return _travelling(world().release(sequence=Release.model_validate(_body()).order)), 201


@api.get("/faults")
def faults() -> ResponseReturnValue:
    """Show every fault, on or off."""
    return world().faults.model_dump()


@api.put("/faults")
def switch_faults() -> ResponseReturnValue:
    """Switch on the faults in the body and switch off the others."""
    world().faults = Faults.model_validate(_body())
    return faults()


@api.delete("/faults")
def clear_faults() -> ResponseReturnValue:
    """Switch off every fault."""
    world().faults = Faults()
    return faults()


@api.post("/reset")
def reset() -> ResponseReturnValue:
    """Forget every purchase, event, token and fault."""
    world().reset()
    return "", 204


def _shown(purchase: Purchase) -> dict[str, Any]:
    return purchase.model_dump(mode="json")


def _travelling(events: list[Event]) -> list[dict[str, Any]]:
    return [event.shown() for event in events]


def _body() -> Any:
    return request.get_json() if request.get_data() else {}
