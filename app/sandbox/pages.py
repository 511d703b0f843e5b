"""The storefront's pages: products, orders, purchases and the fault panel. All of them work without JavaScript."""

from uuid import UUID

from flask import Blueprint, abort, current_app, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.sandbox.faults import Faults
from app.sandbox.purchases import Order, Purchase
from app.sandbox.world import World

pages = Blueprint("pages", __name__)

PRICING = {
    "subscription": "Subscription: pay for what you use",
    "contract": "Contract: pay ahead for a term",
    "contract-with-consumption": "Contract with consumption: pay ahead, and for what you use beyond it",
}


def world() -> World:
    """Return the world whose storefront answers this request."""
    found: World = current_app.extensions["world"]
    return found


@pages.get("/")
def products() -> str:
    """Show what is for sale."""
    return render_template("products.html", pricing=PRICING)


@pages.get("/products/<code>")
def product(code: str) -> str:
    """Show one product and its order form."""
    if code not in world().products:
        abort(404, f"{code} is not sold here.")
    return render_template("product.html", product=world().products[code], pricing=PRICING, asked=request.args)


@pages.get("/purchases")
def purchases() -> str:
    """Show every purchase, each with a button that carries a fresh token."""
    return render_template("purchases.html", form_fields=_form_fields)


@pages.post("/purchases")
def buy() -> ResponseReturnValue:
    """Take an order."""
    purchase = world().buy(Order.model_validate(request.form.to_dict()))
    return redirect(url_for("pages.purchase", purchase_id=purchase.id), 303)


@pages.get("/purchases/<uuid:purchase_id>")
def purchase(purchase_id: UUID) -> str:
    """Show one purchase and what its button sends."""
    found = world().purchase(purchase_id)
    return render_template("purchase.html", purchase=found, fields=_form_fields(found))


@pages.get("/faults")
def faults() -> str:
    """Show the fault panel."""
    return render_template("faults.html", switches=Faults.model_fields)


@pages.post("/faults")
def switch_faults() -> ResponseReturnValue:
    """Switch on the faults that the panel names and switch off the others."""
    world().faults = Faults.model_validate({name: value for name, value in request.form.items() if value})
    return redirect(url_for("pages.faults"), 303)


@pages.post("/reset")
def reset() -> ResponseReturnValue:
    """Forget every purchase, token and fault."""
    world().reset()
    return redirect(url_for("pages.products"), 303)


def _form_fields(purchase: Purchase) -> dict[str, str]:
    return purchase.form_fields(world().mint(purchase), extra=world().faults.extra_fields)
