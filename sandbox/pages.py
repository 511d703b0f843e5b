"""The storefront's pages: products, orders, purchases and the fault panel. All work without JavaScript."""

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
    """Return the marketplace of the storefront that serves this request."""
    marketplace: Marketplace = current_app.extensions["marketplace"]
    return marketplace


@blueprint.get("/")
def products() -> str:
    """Show the products."""
    return render_template("products.html")


@blueprint.get("/products/<code>")
def product(code: str) -> str:
    """Show one product and its order form."""
    if code not in current_marketplace().products:
        abort(404, f"{code} is not sold here.")
    return render_template("product.html", product=current_marketplace().products[code], chosen=request.args)


@blueprint.get("/purchases")
def purchases() -> str:
    """Show every purchase, each with a button that posts a fresh token."""
    return render_template("purchases.html", form_fields=_form_fields)


@blueprint.post("/purchases")
def buy() -> ResponseReturnValue:
    """Create a purchase."""
    purchase = current_marketplace().buy(Order.model_validate(request.form.to_dict()))
    return redirect(url_for("pages.purchase", purchase_id=purchase.id), 303)


@blueprint.get("/purchases/<uuid:purchase_id>")
def purchase(purchase_id: UUID) -> ResponseReturnValue:
    """Show one purchase: the fields of its button, the possible actions, and its events with their state."""
    marketplace = current_marketplace()
    purchase = marketplace.get_purchase(purchase_id)
    events = marketplace.events(purchase)
    page = render_template(
        "purchase.html",
        purchase=purchase,
        fields=_form_fields(purchase),
        events=events,
        possible=actions.available(purchase, marketplace.pricing(purchase)),
    )
    response = make_response(page)
    if any(event.is_in_transit for event in events):
        response.headers["Refresh"] = "2"
    return response


@blueprint.post("/purchases/<uuid:purchase_id>/actions")
def act(purchase_id: UUID) -> ResponseReturnValue:
    """Apply an action to a purchase."""
    purchase = current_marketplace().get_purchase(purchase_id)
    options: dict[str, Any] = {"delivery": request.form.get("delivery", "now")}
    if request.form.get("action") == "change_entitlements":
        options["entitlements"] = _form_quantities(purchase)
    if request.form.get("action") == "renew":
        options["new_license"] = "new_license" in request.form
    current_marketplace().apply_action(purchase, request.form.get("action", ""), **options)
    return _redirect_to_purchase(purchase_id)


@blueprint.post("/purchases/<uuid:purchase_id>/events/<event_id>")
def deliver(purchase_id: UUID, event_id: str) -> ResponseReturnValue:
    """Send an event: a held one for the first time, any other one again."""
    current_marketplace().deliver(event_id)
    return _redirect_to_purchase(purchase_id)


@blueprint.post("/purchases/<uuid:purchase_id>/events")
def release(purchase_id: UUID) -> ResponseReturnValue:
    """Send every held event of a purchase."""
    order: ReleaseOrder = "reversed" if request.form.get("order") == "reversed" else "as_happened"
    current_marketplace().release(current_marketplace().get_purchase(purchase_id), order)
    return _redirect_to_purchase(purchase_id)


@blueprint.get("/faults")
def faults() -> str:
    """Show the fault panel."""
    return render_template("faults.html", switches=Faults.model_fields)


@blueprint.post("/faults")
def switch_faults() -> ResponseReturnValue:
    """Switch on the faults in the form and switch off all others."""
    current_marketplace().faults = Faults.model_validate({name: value for name, value in request.form.items() if value})
    return redirect(url_for("pages.faults"), 303)


@blueprint.post("/reset")
def reset() -> ResponseReturnValue:
    """Delete every purchase, event, token, fault and mail."""
    current_marketplace().reset()
    return redirect(url_for("pages.products"), 303)


def _redirect_to_purchase(purchase_id: UUID) -> ResponseReturnValue:
    return redirect(url_for("pages.purchase", purchase_id=purchase_id, _anchor="events"), 303)


def _form_quantities(purchase: Purchase) -> list[dict[str, object]]:
    """Return the purchase's quantities with the values of the form; a dimension without a field keeps its value."""
    return [
        {"dimension": quantity.dimension, "value": _form_quantity(f"value.{quantity.dimension}", quantity.value)}
        for quantity in purchase.entitlements
    ]


def _form_quantity(field: str, value: entitlements.Value) -> entitlements.Value:
    try:
        return entitlements.parse_value(request.form.get(field, str(value)), value)
    except ValueError:
        abort(400, f"{field}: enter a number.")


def _form_fields(purchase: Purchase) -> dict[str, str]:
    return purchase.form_fields(
        current_marketplace().mint_token(purchase), extra=current_marketplace().faults.extra_fields
    )
