"""Stores what AWS says of subscriptions, and parses what the commands print."""

import json
import re
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from flask import Flask
from flask.testing import FlaskCliRunner
from sqlalchemy import update

from app.database import transactions
from app.models import Subscription
from app.services.events import apply
from tests.cli.conftest import CreateSubscription
from tests.support.aws_events import CUSTOMER_IDENTIFIER, parse_event

UNKNOWN_ID = "01a20686-2de5-73fe-a873-6ff2af26fc4a"
LICENSE_ARN_PREFIX = "arn:aws:license-manager::294406891311:license:"
OLD_LISTING_CUSTOMER: dict[str, Any] = {
    "customer_aws_account_id": None,
    "customer_identifier": CUSTOMER_IDENTIFIER,
    "license_arn": None,
}


def apply_events(app: Flask, *bodies: dict[str, Any]) -> list[UUID]:
    """Ingest the events one after another; return their ids."""
    with app.app_context():
        return [applied.event_id for body in bodies if (applied := apply.ingest(parse_event(body)))]


def entitle(app: Flask, **values: Any) -> None:
    """Store these values of every subscription as read with its entitlements."""
    with app.app_context(), transactions.current_database().write_engine.begin() as connection:
        connection.execute(
            update(Subscription).values(entitlements_read_at=datetime(2026, 11, 2, tzinfo=UTC), **values)
        )


def create_two_purchases(create_subscription: CreateSubscription) -> list[UUID]:
    """Store two purchases of one customer of an old listing; return the subscriptions' ids."""
    return [
        create_subscription(
            **OLD_LISTING_CUSTOMER | {"license_arn": f"{LICENSE_ARN_PREFIX}l-{n}", "agreement_id": f"agmt-{n}"}
        )
        for n in ("first", "second")
    ]


def list_rows(runner: FlaskCliRunner, group: str, *options: str) -> list[dict[str, Any]]:
    """Return the rows that the group's `list --json` prints."""
    result = runner.invoke(args=[group, "list", "--json", *options])
    assert result.exit_code == 0, result.output
    rows: list[dict[str, Any]] = json.loads(result.stdout)
    return rows


def show_event(runner: FlaskCliRunner, event_id: UUID | str) -> dict[str, Any]:
    """Return the event as `events show --json` prints it."""
    event: dict[str, Any] = json.loads(runner.invoke(args=["events", "show", str(event_id), "--json"]).stdout)
    return event


def field_lines(output: str) -> list[tuple[str, str]]:
    """Return the names and values of the lines before the first empty line."""
    lines = output.partition("\n\n")[0].splitlines()
    return [(name, value) for name, value in (line.split(maxsplit=1) for line in lines)]


def table_cells(line: str) -> list[str]:
    """Return the cells of one line of a table."""
    return re.split(r" {2,}", line)
