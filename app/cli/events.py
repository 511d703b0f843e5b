"""flask events: lists and shows what AWS Marketplace has told us, and applies it anew."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import click

from app.cli import tables
from app.cli.database import with_database
from app.config import products
from app.database.rows import Row
from app.models import OUTCOMES
from app.services.events import apply
from app.services.purchases import keys, subscriptions
from app.services.reports import events
from app.services.reports import subscriptions as reports_subscriptions

LISTED = ("id", "happened_at", "kind", "did", "about", "subscription_id")
CANDIDATES = ("id", "created_at", "status", "purchase_key", "agreement_id", "company", "email")
REPLAYED = ("not_ours", "ambiguous", "waiting")
COMMAND = "flask --app wsgi events replay"


@click.group("events")
def command() -> None:
    """List, show and replay AWS Marketplace's events."""


@command.command("list")
@click.option("--outcome", type=click.Choice(OUTCOMES), help="Only those of which this became.")
@click.option("--subscription", "subscription_id", type=click.UUID, metavar="ID", help="Only of this subscription.")
@click.option("--product", metavar="CODE", help="Only of this product code.")
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="How many at the most.")
@click.option("--json", "in_json", is_flag=True, help="Print a JSON array with every column but the body.")
@with_database
def newest(outcome: str | None, subscription_id: UUID | None, product: str | None, limit: int, in_json: bool) -> None:
    """List events, those that came last first.

    An agreement's event names no product: --product leaves it once its subscription is known.
    """
    found = events.newest(limit=limit + 1, outcome=outcome, subscription_id=subscription_id, product_code=product)
    tables.echo(found if in_json else [_listed(event) for event in found], limit, LISTED, in_json=in_json)


@command.command("show")
@click.argument("name", metavar="ID")
@click.option("--json", "in_json", is_flag=True, help="Print a JSON object.")
@with_database
def show(name: str, in_json: bool) -> None:
    """Show an event whole, what became of it and what that means. ID is our id of it, or AWS's."""
    event = _found(name)
    candidates = events.candidates(event) if event["outcome"] == "ambiguous" else []
    if in_json:
        click.echo(tables.as_json({**event, "candidates": candidates}))
        return
    body = event.pop("body")
    click.echo(f"{tables.sheet(event)}\n\n{tables.as_json(body)}\n\n{MEANINGS[event['outcome']](event)}")
    if candidates:
        click.echo(tables.table(reports_subscriptions.of_ids(candidates), CANDIDATES))


@command.command("replay")
@click.argument("name", metavar="[ID]", required=False)
@click.option("--subscription", "subscription_id", type=click.UUID, metavar="ID", help="The subscription it is about.")
@click.option("--outcome", type=click.Choice(REPLAYED), help="In place of ID: all of which this became, oldest first.")
@with_database
def replay(name: str | None, subscription_id: UUID | None, outcome: str | None) -> None:
    """Apply an event anew: after its product was added, or once you know which subscription it is about.

    A second time changes nothing. ID is our id of the event, or AWS's.
    """
    if (name is None) == (outcome is None):
        raise click.UsageError("Give either an event's ID or --outcome.")
    if outcome and subscription_id:
        raise click.UsageError("--subscription is for one event: give its ID in place of --outcome.")
    if outcome:
        _replay_all(outcome)
    elif name:
        _replay_one(name, subscription_id)


def did(event: Mapping[str, Any]) -> str:
    """Return what became of an event in a word, with the status it brought where it brought one."""
    return f"{event['outcome']}: {event['status_after']}" if event["status_after"] else str(event["outcome"])


def _replay_one(name: str, subscription_id: UUID | None) -> None:
    event = _found(name)
    if subscription_id and subscriptions.find(subscription_id) is None:
        raise click.ClickException(
            f"No subscription has the id {subscription_id}. Look for it with: flask --app wsgi subscriptions show NAME"
        )
    try:
        replayed = _replayed(event["id"], subscription_id)
    except apply.NotTheirs as error:
        raise click.ClickException(
            f"Event {event['id']} is of {error.code} than subscription {subscription_id}: nothing was changed. "
            f"Compare: flask --app wsgi events show {event['id']}, and subscriptions show {subscription_id}"
        ) from None
    if replayed:
        click.echo(f"{did(replayed)}\n{MEANINGS[replayed['outcome']](replayed)}")


def _replay_all(outcome: str) -> None:
    count = 0
    # One that was applied may draw in others: each is looked for when its turn has come.
    event_id = events.next_with(outcome)
    while event_id:
        if replayed := _replayed(event_id):
            click.echo(f"{replayed['id']}  {did(replayed)}")
            count += 1
        event_id = events.next_with(outcome, event_id)
    click.echo(f"Events replayed: {count}")


def _replayed(event_id: UUID, subscription_id: UUID | None = None) -> Row | None:
    apply.replay(event_id, subscription_id)
    return events.known_as(str(event_id))


def _found(name: str) -> Row:
    if (event := events.known_as(name)) is None:
        raise click.ClickException(
            f"No event has the id {name!r}, neither ours nor AWS's. Look for it with: flask --app wsgi events list"
        )
    return event


def _listed(event: Row) -> Row:
    # A name that `subscriptions show` takes as well; an agreement's is the one that all events of a purchase share.
    license_id = keys.license_id(event["license_arn"]) if event["license_arn"] else None
    about = event["agreement_id"] or license_id or event["customer_identifier"]
    # "Purchase Agreement Created - Manufacturer": to which party it went says nothing new.
    kind, _, _ = event["kind"].partition(" - ")
    return {**event, "kind": kind, "did": did(event), "about": about}


def _applied(event: Row) -> str:
    return (
        f"It changed its subscription's status to {event['status_after']}. "
        f"See: flask --app wsgi subscriptions show {event['subscription_id']}"
    )


def _noted(event: Row) -> str:
    return (
        "It is kept with its subscription, whose status it did not change: nothing to do. "
        f"See: flask --app wsgi subscriptions show {event['subscription_id']}"
    )


def _waiting(event: Row) -> str:
    agreements = " or ".join(filter(None, (event["agreement_id"], event["previous_agreement_id"])))
    return tables.printable(
        f"It waits for {agreements}: no subscription is known to have that agreement. It is applied by itself once its "
        "license's event comes, or the buyer. Agreements about products that are not sold through here wait for ever, "
        f"and do no harm. If you know the subscription: {COMMAND} {event['id']} --subscription ID"
    )


def _ambiguous(event: Row) -> str:
    return (
        "It may be about any of several subscriptions, or names none, and AWS does not say which: nothing was changed. "
        f"Once you know: {COMMAND} {event['id']} --subscription ID"
    )


def _not_ours(event: Row) -> str:
    code = event["product_code"]
    if code in products.current():
        return tables.printable(f"Its product, {code}, has been added since: {COMMAND} {event['id']}")
    return tables.printable(
        f"Its product, {code}, is not in the settings: nothing was changed. If you sell it here, add it to "
        f"PRODUCTS_FILE, restart the pages and the worker, and then: {COMMAND} --outcome not_ours"
    )


MEANINGS = {
    "applied": _applied,
    "noted": _noted,
    "waiting": _waiting,
    "ambiguous": _ambiguous,
    "not_ours": _not_ours,
}
