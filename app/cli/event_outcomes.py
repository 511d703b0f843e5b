"""What an event's outcome means and what the operator can do about it."""

from collections.abc import Mapping
from typing import Any

from app.cli import tables
from app.config import products

EventRow = Mapping[str, Any]

REPLAY_COMMAND = "flask --app wsgi events replay"


def describe(event: EventRow) -> str:
    """Return the outcome, with the status that it gave the subscription: `applied: active`."""
    return f"{event['outcome']}: {event['status_after']}" if event["status_after"] else str(event["outcome"])


def explain(event: EventRow) -> str:
    """Return the outcome's meaning in sentences, safe to print on a terminal."""
    return tables.escape_unprintable(EXPLANATIONS[event["outcome"]](event))


def _explain_applied(event: EventRow) -> str:
    return (
        f"It changed its subscription's status to {event['status_after']}. "
        f"See: flask --app wsgi subscriptions show {event['subscription_id']}"
    )


def _explain_noted(event: EventRow) -> str:
    return (
        "It is stored with its subscription and did not change the status. Nothing to do. "
        f"See: flask --app wsgi subscriptions show {event['subscription_id']}"
    )


def _explain_waiting(event: EventRow) -> str:
    agreements = " or ".join(filter(None, (event["agreement_id"], event["previous_agreement_id"])))
    return (
        f"It waits for {agreements}: no subscription has that agreement yet. Foyer applies it when the license's event "
        "or the buyer arrives. Agreements about products that you do not sell through Foyer wait for good and do no "
        f"harm. If you know the subscription, run: {REPLAY_COMMAND} {event['id']} --subscription ID"
    )


def _explain_ambiguous(event: EventRow) -> str:
    return (
        "It may be about any of several subscriptions, or names none, and AWS does not say which. Nothing was changed. "
        f"Once you know the subscription, run: {REPLAY_COMMAND} {event['id']} --subscription ID"
    )


def _explain_not_ours(event: EventRow) -> str:
    code = event["product_code"]
    if code in products.current():
        return f"Its product, {code}, has been added since. Run: {REPLAY_COMMAND} {event['id']}"
    return (
        f"Its product, {code}, is not in the settings. Nothing was changed. If you sell it through Foyer, add it to "
        f"PRODUCTS_FILE, restart the web processes and the worker, then run: {REPLAY_COMMAND} --outcome not_ours"
    )


EXPLANATIONS = {
    "applied": _explain_applied,
    "noted": _explain_noted,
    "waiting": _explain_waiting,
    "ambiguous": _explain_ambiguous,
    "not_ours": _explain_not_ours,
}
