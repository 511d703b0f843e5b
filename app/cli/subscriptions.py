"""foyer subscriptions: lists and shows purchases, and finds one by any of its ids."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import click

from app.aws.get_entitlements import AwsEntitlement
from app.cli import answers, event_outcomes, listing, parameters, tables, terminal
from app.cli.database import DatabaseGroup
from app.cli.listing import Table
from app.cli.usage import list_hours
from app.config import products
from app.database import clock
from app.database.rows import RowDict
from app.models.purchases import SUBSCRIPTION_STATUSES
from app.services.purchases import entitlements
from app.services.reports import diagnosis, ids
from app.services.reports import events as event_reports
from app.services.reports import subscriptions as subscription_reports
from app.services.reports.subscriptions import Filters
from app.services.usage_reports import hours as usage_hours

PURCHASE_COLUMNS = ("status", "product_code", "customer_aws_account_id", "agreement_id")
LIST_COLUMNS = ("id", "created_at", *PURCHASE_COLUMNS, "company", "email")
NARROW_COLUMNS = ("id", "created_at", "status", "customer_aws_account_id", "company")
UNREGISTERED_COLUMNS = ("id", "age", "last_seen_at", *PURCHASE_COLUMNS)
NARROW_UNREGISTERED_COLUMNS = ("id", "age", "last_seen_at", "status", "customer_aws_account_id", "product_code")
ENDING_COLUMNS = ("id", "ends_at", *PURCHASE_COLUMNS, "company", "email")
NARROW_ENDING_COLUMNS = ("id", "ends_at", "status", "company", "email")
NARROW_EVENT_COLUMNS = ("happened_at", "outcome", "kind", "id")
NARROW_USAGE_COLUMNS = ("hour_text", "dimension", "quantity", "state", "id")
# Of the latest hours of usage.
MAX_USAGE_HOURS = 5
NARROW_ENTITLEMENT_COLUMNS = ("dimension", "value", "ends_at", "state")

# What a subscription is shown with: its entitlements, its latest usage and its events.
Lists = tuple[Sequence[AwsEntitlement], Sequence[RowDict], Sequence[RowDict]]

command = DatabaseGroup("subscriptions", help="List and show subscriptions.")


def _unregistered_row(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return an unregistered subscription with its age in words."""
    return {**row, "age": _format_age(timedelta(seconds=row["age"])), "last_seen_at": row["last_seen_at"] or "never"}


def _ending_row(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a subscription with the end of its contract, wherever AWS has named it."""
    return {**row, "ends_at": row["contract_ends_at"]}


def _fetch(*, limit: int, unregistered: bool, **filters: Any) -> list[RowDict]:
    rows = subscription_reports.search(Filters(unregistered=unregistered, **filters), limit=limit)
    now = clock.now()
    return [{**row, "age": int((now - row["created_at"]).total_seconds())} for row in rows] if unregistered else rows


SUBSCRIPTIONS = Table(
    LIST_COLUMNS,
    NARROW_COLUMNS,
    variants={
        "unregistered": Table(UNREGISTERED_COLUMNS, NARROW_UNREGISTERED_COLUMNS, _unregistered_row),
        "ending_by": Table(ENDING_COLUMNS, NARROW_ENDING_COLUMNS, _ending_row),
    },
)
listing.add_list_command(
    command,
    "List subscriptions, newest first.",
    _fetch,
    SUBSCRIPTIONS,
    click.option("--status", type=click.Choice(SUBSCRIPTION_STATUSES), help="Only with this status."),
    listing.product_option,
    listing.account_option,
    listing.search_option,
    listing.since_option,
    click.option(
        "--ending-within",
        "ending_by",
        type=parameters.Within(),
        metavar="WHEN",
        help="Only current purchases whose contract ends by then, such as 30d or 2026-11-30; the next to end first.",
    ),
    click.option(
        "--unregistered",
        is_flag=True,
        help="Only current purchases without a registration, now or before; the longest paying first.",
    ),
)


@command.command("show")
@click.argument("identifier", metavar="ID")
@listing.wide_option
@listing.json_option("Print a JSON object; an array if several match.")
def show(identifier: str, wide: bool, in_json: bool) -> None:
    """Show a subscription with its registration and its events.

    Its entitlements and its usage are shown, too. ID is the subscription's id, license ARN or license id, agreement
    id, AWS account id or customer identifier. A license or agreement id from before a renewal works too. If several
    subscriptions match, they are listed.
    """
    match _find(identifier):
        case []:
            raise click.ClickException(
                f"No subscription has {identifier!r} as its id, license ARN, agreement id, AWS account id or customer "
                "identifier. To search by e-mail address, including buyers who registered while AWS was down: foyer "
                "registrations list --email ADDRESS. If that finds nothing, the buyer may not have pressed "
                '"Set up your account" yet: ask them to, on AWS Marketplace under Manage subscriptions.'
            )
        case [row]:
            _print_subscription(row, in_json=in_json, wide=wide)
        case rows:
            listing.print_rows(rows, SUBSCRIPTIONS, in_json=in_json, wide=wide)


def _find(identifier: str) -> list[RowDict]:
    """Return the subscriptions with the identifier or, if there are none, with an id that begins with it."""
    rows = subscription_reports.find_by_any_id(identifier)
    return rows or subscription_reports.find_by_ids(ids.find(ids.SUBSCRIPTIONS, identifier))


def _format_age(age: timedelta) -> str:
    hours, minutes = age.seconds // 3600, age.seconds // 60 % 60
    if age.days:
        return f"{age.days} d {hours} h"
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


def _print_subscription(row: RowDict, *, in_json: bool, wide: bool) -> None:
    now = clock.now()
    stored = entitlements.parse_stored(row["entitlements"] or [])
    events = event_reports.list_by_subscription(row["id"])
    usage = usage_hours.of_subscription(row["id"], limit=MAX_USAGE_HOURS)
    if in_json:
        with_expiry = [{**vars(entitlement), "expired": entitlement.expired(now)} for entitlement in stored]
        click.echo(tables.to_json({**row, "entitlements": with_expiry, "usage": usage, "events": events}))
        return
    width = None if wide else terminal.width()
    states = ", ".join(f"{state}: {count}" for state, count in usage["states"].items())
    row = {**answers.as_lines(row), "usage": states or None}
    lists = (stored, usage["latest"], events)
    parts = _fitted_parts(row, lists, now, width) if width else [_whole_record(row, lists, now)]
    if row["registration_id"] is None:
        parts.append("\n".join(tables.hang("", diagnosis.explain_unregistered(row).text, width)))
    terminal.print_paged("\n\n".join(parts))


def _whole_record(row: RowDict, lists: Lists, now: datetime) -> str:
    stored, latest_usage, events = lists
    entitled = [[part.dimension, tables.format_value(part.value), *_format_expiry(part, now)] for part in stored]
    cells = [[event["happened_at"], event_outcomes.describe(event), event["kind"], event["id"]] for event in events]
    used = [[hour[name] for name in ("hour", "dimension", "quantity", "state", "id")] for hour in latest_usage]
    parts = {"entitlements": entitled or _no_entitlements(row), "latest_usage": used or None, "events": cells or None}
    return tables.format_record({**row, **parts})


def _fitted_parts(row: RowDict, lists: Lists, now: datetime, width: int) -> list[str]:
    """Return the record and, as tables of that width, its entitlements, its latest usage and its events."""
    stored, latest_usage, events = lists
    parts = [tables.format_record({**row, "entitlements": None if stored else _no_entitlements(row)}, width)]
    entitled = [_entitlement_row(entitlement, now) for entitlement in stored]
    happened = [event_outcomes.table_row(event) for event in events]
    for heading, rows, columns in (
        ("Entitlements", entitled, NARROW_ENTITLEMENT_COLUMNS),
        ("Latest usage", list(map(list_hours.format_row, latest_usage)), NARROW_USAGE_COLUMNS),
        ("Events", happened, NARROW_EVENT_COLUMNS),
    ):
        if rows:
            parts.append(f"{terminal.heading(heading)}\n{tables.fit_table(rows, columns, width)}")
    return parts


def _no_entitlements(row: RowDict) -> str:
    product = products.current().get(row["product_code"])
    if product and product.pricing == "subscription":
        return "none: the product is paid by use"
    return "none" if row["entitlements_read_at"] else "not read yet"


def _entitlement_row(entitlement: AwsEntitlement, now: datetime) -> dict[str, object]:
    return {
        "dimension": entitlement.dimension,
        "value": tables.format_value(entitlement.value),
        "ends_at": entitlement.expires_at or "without an end",
        "state": "EXPIRED" if entitlement.expired(now) else "current",
    }


def _format_expiry(entitlement: AwsEntitlement, now: datetime) -> tuple[str, str]:
    if entitlement.expires_at is None:
        return "without an end", ""
    return f"until {tables.format_value(entitlement.expires_at)}", "EXPIRED" if entitlement.expired(now) else ""
