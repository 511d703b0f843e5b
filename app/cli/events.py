"""flask events: lists and shows what AWS Marketplace has told us, and applies it anew."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import click

from app.cli import tables
from app.cli.database import with_database
from app.config import products
from app.database.rows import RowDict
from app.models import EVENT_OUTCOMES
from app.services.events import apply
from app.services.purchases import keys, subscriptions
from app.services.reports import events
from app.services.reports import subscriptions as reports_subscriptions

LIST_COLUMNS = ("id", "happened_at", "kind", "did", "about", "subscription_id")
CANDIDATE_COLUMNS = ("id", "created_at", "status", "purchase_key", "agreement_id", "company", "email")
REPLAYABLE_OUTCOMES = ("not_ours", "ambiguous", "waiting")
REPLAY_COMMAND = "flask --app wsgi events replay"


@click.group("events")
def command() -> None:
    """List, show and replay AWS Marketplace's events."""


@command.command("list")
@click.option("--outcome", type=click.Choice(EVENT_OUTCOMES), help="Only those of which this became.")
@click.option("--subscription", "subscription_id", type=click.UUID, metavar="ID", help="Only of this subscription.")
@click.option("--product", metavar="CODE", help="Only of this product code.")
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="How many at the most.")
@click.option("--json", "in_json", is_flag=True, help="Print a JSON array with every column but the body.")
@with_database
def list_events(
    outcome: str | None, subscription_id: UUID | None, product: str | None, limit: int, in_json: bool
) -> None:
    """List events, those that came last first.

    An agreement's event names no product: --product leaves it once its subscription is known.
    """
    found = events.newest(limit=limit + 1, outcome=outcome, subscription_id=subscription_id, product_code=product)
    tables.print_rows(found if in_json else [_list_row(event) for event in found], limit, LIST_COLUMNS, in_json=in_json)


@command.command("show")
@click.argument("name", metavar="ID")
@click.option("--json", "in_json", is_flag=True, help="Print a JSON object.")
@with_database
def show(name: str, in_json: bool) -> None:
    """Show an event whole, what became of it and what that means. ID is our id of it, or AWS's."""
    event = _find_event(name)
    candidates = events.candidate_subscription_ids(event) if event["outcome"] == "ambiguous" else []
    if in_json:
        click.echo(tables.to_json({**event, "candidates": candidates}))
        return
    body = event.pop("body")
    click.echo(f"{tables.format_record(event)}\n\n{tables.to_json(body)}\n\n{EXPLANATIONS[event['outcome']](event)}")
    if candidates:
        click.echo(tables.format_table(reports_subscriptions.find_by_ids(candidates), CANDIDATE_COLUMNS))


@command.command("replay")
@click.argument("name", metavar="[ID]", required=False)
@click.option("--subscription", "subscription_id", type=click.UUID, metavar="ID", help="The subscription it is about.")
@click.option(
    "--outcome", type=click.Choice(REPLAYABLE_OUTCOMES), help="In place of ID: all of which this became, oldest first."
)
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


def describe_outcome(event: Mapping[str, Any]) -> str:
    """Return what became of an event in a word, with the status it brought where it brought one."""
    return f"{event['outcome']}: {event['status_after']}" if event["status_after"] else str(event["outcome"])


def _replay_one(name: str, subscription_id: UUID | None) -> None:
    event = _find_event(name)
    if subscription_id and subscriptions.find(subscription_id) is None:
        raise click.ClickException(
            f"No subscription has the id {subscription_id}. Look for it with: flask --app wsgi subscriptions show NAME"
        )
    try:
        replayed = _replay(event["id"], subscription_id)
    except apply.PartyMismatch as error:
        raise click.ClickException(
            f"Event {event['id']} is of {error.code} than subscription {subscription_id}: nothing was changed. "
            f"Compare: flask --app wsgi events show {event['id']}, and subscriptions show {subscription_id}"
        ) from None
    if replayed:
        click.echo(f"{describe_outcome(replayed)}\n{EXPLANATIONS[replayed['outcome']](replayed)}")


def _replay_all(outcome: str) -> None:
    count = 0
    # One that was applied may draw in others: each is looked for when its turn has come.
    event_id = events.next_id_with_outcome(outcome)
    while event_id:
        if replayed := _replay(event_id):
            click.echo(f"{replayed['id']}  {describe_outcome(replayed)}")
            count += 1
        event_id = events.next_id_with_outcome(outcome, event_id)
    click.echo(f"Events replayed: {count}")


def _replay(event_id: UUID, subscription_id: UUID | None = None) -> RowDict | None:
    apply.replay(event_id, subscription_id)
    return events.find_by_any_id(str(event_id))


def _find_event(name: str) -> RowDict:
    if (event := events.find_by_any_id(name)) is None:
        raise click.ClickException(
            f"No event has the id {name!r}, neither ours nor AWS's. Look for it with: flask --app wsgi events list"
        )
    return event


def _list_row(event: RowDict) -> RowDict:
    # A name that `subscriptions show` takes as well; an agreement's is the one that all events of a purchase share.
    license_id = keys.license_id(event["license_arn"]) if event["license_arn"] else None
    about = event["agreement_id"] or license_id or event["customer_identifier"]
    # "Purchase Agreement Created - Manufacturer": to which party it went says nothing new.
    kind, _, _ = event["kind"].partition(" - ")
    return {**event, "kind": kind, "did": describe_outcome(event), "about": about}


def _explain_applied(event: RowDict) -> str:
    return (
        f"It changed its subscription's status to {event['status_after']}. "
        f"See: flask --app wsgi subscriptions show {event['subscription_id']}"
    )


def _explain_noted(event: RowDict) -> str:
    return (
        "It is kept with its subscription, whose status it did not change: nothing to do. "
        f"See: flask --app wsgi subscriptions show {event['subscription_id']}"
    )


def _explain_waiting(event: RowDict) -> str:
    agreements = " or ".join(filter(None, (event["agreement_id"], event["previous_agreement_id"])))
    return tables.escape_unprintable(
        f"It waits for {agreements}: no subscription is known to have that agreement. It is applied by itself once its "
        "license's event comes, or the buyer. Agreements about products that are not sold through here wait for ever, "
        f"and do no harm. If you know the subscription: {REPLAY_COMMAND} {event['id']} --subscription ID"
    )


def _explain_ambiguous(event: RowDict) -> str:
    return (
        "It may be about any of several subscriptions, or names none, and AWS does not say which: nothing was changed. "
        f"Once you know: {REPLAY_COMMAND} {event['id']} --subscription ID"
    )


def _explain_not_ours(event: RowDict) -> str:
    code = event["product_code"]
    if code in products.current():
        return tables.escape_unprintable(f"Its product, {code}, has been added since: {REPLAY_COMMAND} {event['id']}")
    return tables.escape_unprintable(
        f"Its product, {code}, is not in the settings: nothing was changed. If you sell it here, add it to "
        f"PRODUCTS_FILE, restart the pages and the worker, and then: {REPLAY_COMMAND} --outcome not_ours"
    )


EXPLANATIONS = {
    "applied": _explain_applied,
    "noted": _explain_noted,
    "waiting": _explain_waiting,
    "ambiguous": _explain_ambiguous,
    "not_ours": _explain_not_ours,
}
