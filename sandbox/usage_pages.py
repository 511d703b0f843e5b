"""The invoices for usage and the calls of BatchMeterUsage, as pages and as JSON."""

from datetime import datetime
from typing import Any
from uuid import UUID

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from sandbox import clock_api, invoices, sent_usage
from sandbox.invoices import Invoice
from sandbox.metering.ledger import BilledRecord, find_billed_twice
from sandbox.metering.usage import MeteringCall
from sandbox.pages import current_marketplace

blueprint = Blueprint("usage", __name__)

# A page lists so many of the latest; the JSON API lists all.
MAX_RECORDS = 100
MAX_CALLS = 10


@blueprint.get("/usage")
def all_invoices() -> str:
    """Show the clock, every invoice and the latest calls."""
    return _render(None)


@blueprint.get("/purchases/<uuid:purchase_id>/usage")
def of_purchase(purchase_id: UUID) -> str:
    """Show the clock, the invoices of one purchase and the latest calls."""
    return _render(current_marketplace().get_purchase(purchase_id).id)


@blueprint.post("/usage/clock")
def advance_clock() -> ResponseReturnValue:
    """Move the clock ahead by the minutes of the button."""
    clock_api.advance_by(request.form.to_dict())
    return redirect(url_for("usage.all_invoices"), 303)


@blueprint.get("/api/usage")
def all_json() -> ResponseReturnValue:
    """List every invoice and every billed record."""
    return _to_json(None)


@blueprint.get("/api/purchases/<uuid:purchase_id>/usage")
def of_purchase_json(purchase_id: UUID) -> ResponseReturnValue:
    """List the invoices and billed records of one purchase."""
    return _to_json(current_marketplace().get_purchase(purchase_id).id)


@blueprint.get("/api/usage/calls")
def calls() -> ResponseReturnValue:
    """List every call of BatchMeterUsage, in the order they were answered."""
    return [_call_json(call) for call in current_marketplace().usage.calls]


def _render(purchase_id: UUID | None) -> str:
    marketplace = current_marketplace()
    return render_template(
        "usage.html",
        invoices=_invoices(purchase_id),
        twice=find_billed_twice(marketplace.usage.ledger.records),
        calls=marketplace.usage.calls[: -MAX_CALLS - 1 : -1],
        purchase=marketplace.get_purchase(purchase_id) if purchase_id else None,
        limit=MAX_RECORDS,
        plain=invoices.plain,
        dollars=invoices.dollars,
        month_name=lambda month: datetime.strptime(month, "%Y-%m").strftime("%B %Y"),  # noqa: DTZ007  a month only
    )


def _invoices(purchase_id: UUID | None) -> list[Invoice]:
    marketplace = current_marketplace()
    return invoices.build(marketplace, sent_usage.read_items(marketplace.products.values()), purchase_id)


def _to_json(purchase_id: UUID | None) -> dict[str, Any]:
    ledger = current_marketplace().usage.ledger
    twice = find_billed_twice(ledger.records)
    records = ledger.of_purchase(purchase_id) if purchase_id else ledger.records
    return {
        "invoices": [invoice.to_json() for invoice in _invoices(purchase_id)],
        "records": [_record_json(record, twice) for record in records],
    }


def _record_json(record: BilledRecord, twice: set[str]) -> dict[str, Any]:
    fields = record.model_dump(mode="json", exclude={"identity"})
    is_twice = record.metering_record_id in twice
    return {**fields, "quantity": invoices.plain(record.quantity), "is_billed_twice": is_twice}


def _call_json(call: MeteringCall) -> dict[str, Any]:
    return {
        "received_at": call.received_at.isoformat().replace("+00:00", "Z"),
        "region": call.region,
        "request": call.request,
        "status": call.status,
        "error": call.error,
        "answer": call.answer,
        "is_answer_lost": call.is_answer_lost,
    }
