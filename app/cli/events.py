"""foyer events: lists and shows the events that AWS Marketplace sent, and applies them again."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import click

from app.aws.customer import license_id
from app.cli import event_outcomes, listing, parameters, tables, terminal
from app.cli.database import DatabaseGroup
from app.cli.listing import SUBSCRIPTION, Resource, Table
from app.database.rows import RowDict
from app.models.purchases import EVENT_OUTCOMES
from app.services.events import apply
from app.services.purchases import subscriptions
from app.services.reports import events, ids
from app.services.reports import subscriptions as subscription_reports

EVENT = Resource("event", "Give our id or AWS's. Find it with: foyer events list", ids.EVENTS)
LIST_COLUMNS = ("id", "happened_at", "kind", "outcome", "purchase", "subscription_id")
NARROW_COLUMNS = ("id", "happened_at", "kind", "outcome", "subscription_id")
CANDIDATES = Table(
    ("id", "created_at", "status", "purchase_key", "agreement_id", "company", "email"),
    ("id", "created_at", "status", "company", "email"),
)
REPLAYABLE_OUTCOMES = ("not_ours", "ambiguous", "waiting")

command = DatabaseGroup("events", help="List, show and replay AWS Marketplace's events.")


def _table_row(event: Mapping[str, Any]) -> RowDict:
    # All events of a purchase share its agreement id, and `subscriptions show` takes each of the three.
    own_license_id = license_id(event["license_arn"]) if event["license_arn"] else None
    purchase = event["agreement_id"] or own_license_id or event["customer_identifier"]
    return {**event_outcomes.table_row(event), "purchase": purchase}


listing.add_list_command(
    command,
    "List events, the last received first.\n\n"
    "AWS names no product in an agreement's event: --product shows it once its subscription is known.",
    events.newest,
    Table(LIST_COLUMNS, NARROW_COLUMNS, _table_row),
    click.option("--outcome", type=click.Choice(EVENT_OUTCOMES), help="Only with this outcome."),
    listing.subscription_option,
    listing.product_option,
    listing.since_option,
    json_help="Print a JSON array with every column but the body.",
)


@command.command("show")
@click.argument("identifier", metavar="ID")
@listing.wide_option
@listing.json_option()
def show(identifier: str, wide: bool, in_json: bool) -> None:
    """Show an event whole, with its outcome and what that means. ID is our id of the event, or AWS's."""
    event = _find_event(identifier)
    candidates = events.candidate_subscription_ids(event) if event["outcome"] == "ambiguous" else []
    if in_json:
        click.echo(tables.to_json({**event, "candidates": candidates}))
        return
    width = None if wide else terminal.width()
    body = event.pop("body")
    explanation = "\n".join(tables.hang("", event_outcomes.explain(event), width))
    parts = [tables.format_record(event, width), tables.to_json(body), explanation]
    if candidates:
        parts[-1] += "\n" + listing.format_rows(subscription_reports.find_by_ids(candidates), CANDIDATES, wide=wide)
    terminal.print_paged("\n\n".join(parts))


@command.command("replay")
@click.argument("identifier", metavar="[ID]", required=False)
@click.option(
    "--subscription", type=parameters.IdBeginning(), metavar="ID", help="The subscription it is about, by its id."
)
@click.option(
    "--outcome", type=click.Choice(REPLAYABLE_OUTCOMES), help="Instead of ID: all with this outcome, oldest first."
)
def replay(identifier: str | None, subscription: str | None, outcome: str | None) -> None:
    """Apply an event again, or all that have one outcome.

    Do so once its product was added, or you know which subscription it is about. Replaying an event twice changes
    nothing. ID is our id of the event, or AWS's.
    """
    if (identifier is None) == (outcome is None):
        raise click.UsageError("Give either an event's ID or --outcome.")
    if outcome and subscription:
        raise click.UsageError("--subscription is for one event: give its ID instead of --outcome.")
    if outcome:
        _replay_all(outcome)
    elif identifier:
        _replay_one(identifier, SUBSCRIPTION.parse_id(subscription) if subscription else None)


def _replay_one(identifier: str, subscription_id: UUID | None) -> None:
    event = _find_event(identifier)
    if subscription_id and subscriptions.find(subscription_id) is None:
        raise click.ClickException(f"No subscription has the id {subscription_id}. Find it with: foyer customer NAME")
    try:
        replayed = _replay(event["id"], subscription_id)
    except apply.PartyMismatch as error:
        raise click.ClickException(
            f"Event {event['id']} belongs to {error.code} than subscription {subscription_id}. Nothing was changed. "
            f"Compare: foyer events show {event['id']}, and subscriptions show {subscription_id}"
        ) from None
    if replayed:
        click.echo(f"{event_outcomes.describe(replayed)}\n{event_outcomes.explain(replayed)}")


def _replay_all(outcome: str) -> None:
    count = 0
    # Applying one event may apply others that waited for it, so the next is looked up only after it.
    event_id = events.next_id_with_outcome(outcome)
    while event_id:
        if replayed := _replay(event_id):
            click.echo(f"{replayed['id']}  {event_outcomes.describe(replayed)}")
            count += 1
        event_id = events.next_id_with_outcome(outcome, event_id)
    click.echo(f"Events replayed: {count}")


def _replay(event_id: UUID, subscription_id: UUID | None = None) -> RowDict | None:
    apply.replay(event_id, subscription_id)
    return events.find_by_any_id(str(event_id))


def _find_event(identifier: str) -> RowDict:
    event = events.find_by_any_id(identifier)
    return event or EVENT.require(identifier, events.find_by_any_id(str(EVENT.parse_id(identifier))))
