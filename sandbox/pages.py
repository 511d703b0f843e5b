"""The storefront's pages: products, orders, purchases and the fault panel. All of them work without JavaScript."""

from typing import Any
from uuid import UUID

from flask import Blueprint, abort, current_app, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from sandbox import actions, entitlements
from sandbox.deliveries import ReleaseOrder
from sandbox.faults import Faults
from sandbox.marketplace import Marketplace
from sandbox.purchases import Order, Purchase

blueprint = Blueprint("pages", __name__)


def current_marketplace() -> Marketplace:
    """Return the world whose storefront answers this request."""
    found: Marketplace = current_app.extensions["world"]
    return found


@blueprint.get("/")
def products() -> str:
    """Show what is for sale."""
    return render_template("products.html")


@blueprint.get("/products/<code>")
def product(code: str) -> str:
    """Show one product and its order form."""
    if code not in current_marketplace().products:
        abort(404, f"{code} is not sold here.")
    return render_template("product.html", product=current_marketplace().products[code], asked=request.args)


@blueprint.get("/purchases")
def purchases() -> str:
    """Show every purchase, each with a button that carries a fresh token."""
    return render_template("purchases.html", form_fields=_form_fields)


@blueprint.post("/purchases")
def buy() -> ResponseReturnValue:
    """Take an order."""
    purchase = current_marketplace().buy(Order.model_validate(request.form.to_dict()))
    return redirect(url_for("pages.purchase", purchase_id=purchase.id), 303)


@blueprint.get("/purchases/<uuid:purchase_id>")
def purchase(purchase_id: UUID) -> ResponseReturnValue:
    """Show one purchase, what its button sends, what can happen next, and its events on their way."""
    found = current_marketplace().get_purchase(purchase_id)
    events, possible = (
        current_marketplace().events(found),
        actions.available(found, current_marketplace().pricing(found)),
    )
    page = render_template(
        "purchase.html", purchase=found, fields=_form_fields(found), events=events, possible=possible
    )
    response = make_response(page)
    if any(event.is_in_transit for event in events):
        response.headers["Refresh"] = "2"
    return response


@blueprint.post("/purchases/<uuid:purchase_id>/actions")
def act(purchase_id: UUID) -> ResponseReturnValue:
    """Let something happen to a purchase."""
    found = current_marketplace().get_purchase(purchase_id)
    options: dict[str, Any] = {"delivery": request.form.get("delivery", "now")}
    if request.form.get("action") == "change_entitlements":
        options["entitlements"] = _form_quantities(found)
    if request.form.get("action") == "renew":
        options["new_license"] = "new_license" in request.form
    current_marketplace().apply_action(found, request.form.get("action", ""), **options)
    return _redirect_to_purchase(purchase_id)


@blueprint.post("/purchases/<uuid:purchase_id>/events/<event_id>")
def deliver(purchase_id: UUID, event_id: str) -> ResponseReturnValue:
    """Send an event that is held back, or send another one again."""
    current_marketplace().deliver(event_id)
    return _redirect_to_purchase(purchase_id)


@blueprint.post("/purchases/<uuid:purchase_id>/events")
def release(purchase_id: UUID) -> ResponseReturnValue:
    """Send every event of a purchase that is held back."""
    sequence: ReleaseOrder = "reversed" if request.form.get("order") == "reversed" else "as_happened"
    current_marketplace().release(current_marketplace().get_purchase(purchase_id), sequence)
    return _redirect_to_purchase(purchase_id)


@blueprint.get("/faults")
def faults() -> str:
    """Show the fault panel."""
    return render_template("faults.html", switches=Faults.model_fields)


@blueprint.post("/faults")
def switch_faults() -> ResponseReturnValue:
    """Switch on the faults that the panel names and switch off the others."""
    current_marketplace().faults = Faults.model_validate({name: value for name, value in request.form.items() if value})
    return redirect(url_for("pages.faults"), 303)


@blueprint.post("/reset")
def reset() -> ResponseReturnValue:
    """Forget every purchase, event, token and fault."""
    current_marketplace().reset()
    return redirect(url_for("pages.products"), 303)


def _redirect_to_purchase(purchase_id: UUID) -> ResponseReturnValue:
    return redirect(url_for("pages.purchase", purchase_id=purchase_id, _anchor="events"), 303)


def _form_quantities(purchase: Purchase) -> list[dict[str, object]]:
    """Return the purchase's quantities as the form has them; what it does not name stays."""
    return [
        {"dimension": each.dimension, "value": _form_quantity(f"value.{each.dimension}", each.value)}
        for each in purchase.entitlements
    ]


def _form_quantity(field: str, value: entitlements.Value) -> entitlements.Value:
    try:
        return entitlements.parse_value(request.form.get(field, str(value)), value)
    except ValueError:
        abort(400, f"{field}: that is not a number.")


def _form_fields(purchase: Purchase) -> dict[str, str]:
    return purchase.form_fields(
        current_marketplace().mint_token(purchase), extra=current_marketplace().faults.extra_fields
    )
