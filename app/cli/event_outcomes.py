"""What an event's outcome means and what the operator can do about it."""

from collections.abc import Mapping
from typing import Any

from app.cli import tables
from app.config import products
from app.database.rows import RowDict

REPLAY_COMMAND = "foyer events replay"
SEE_SUBSCRIPTION = "See: foyer subscriptions show {subscription_id}"
PRODUCT_ADDED = f"Its product, {{product_code}}, has been added since. Run: {REPLAY_COMMAND} {{id}}"
EXPLANATIONS = {
    "applied": f"It changed its subscription's status to {{status_after}}. {SEE_SUBSCRIPTION}",
    "noted": "It is stored with its subscription and did not change the status. Nothing to do. " + SEE_SUBSCRIPTION,
    "waiting": "It waits for {agreements}: no subscription has that agreement yet. Foyer applies it when the license's "
    "event or the buyer arrives. Agreements about products that you do not sell through Foyer wait for good and do no "
    f"harm. If you know the subscription, run: {REPLAY_COMMAND} {{id}} --subscription ID",
    "ambiguous": "It may be about any of several subscriptions, or names none, and AWS does not say which. Nothing was "
    f"changed. Once you know the subscription, run: {REPLAY_COMMAND} {{id}} --subscription ID",
    "not_ours": "Its product, {product_code}, is not in the settings. Nothing was changed. If you sell it through "
    "Foyer, add it to PRODUCTS_FILE, restart the web processes and the worker, then run: "
    f"{REPLAY_COMMAND} --outcome not_ours",
}


def describe(event: Mapping[str, Any]) -> str:
    """Return the outcome, with the status that it gave the subscription: `applied: active`."""
    return f"{event['outcome']}: {event['status_after']}" if event["status_after"] else str(event["outcome"])


def table_row(event: Mapping[str, Any]) -> RowDict:
    """Return the event with its outcome in words, and its kind without the recipient's role, which says nothing new."""
    # "Purchase Agreement Created - Manufacturer"
    kind, _, _ = event["kind"].partition(" - ")
    return {**event, "kind": kind, "outcome": describe(event)}


def explain(event: Mapping[str, Any]) -> str:
    """Return the outcome's meaning in sentences, safe to print on a terminal."""
    is_added = event["outcome"] == "not_ours" and event["product_code"] in products.current()
    explanation = PRODUCT_ADDED if is_added else EXPLANATIONS[event["outcome"]]
    agreements = " or ".join(filter(None, (event["agreement_id"], event["previous_agreement_id"])))
    return tables.escape_unprintable(explanation.format(**event, agreements=agreements))
