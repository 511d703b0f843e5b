"""Reports of AWS's events, their outcomes, and the subscriptions that an ambiguous one may be about."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Uuid, bindparam, exists, or_, select

from app.database import rows
from app.database.rows import RowDict
from app.database.transactions import query
from app.models import Event, Subscription
from app.services.events import agreements, match

COLUMNS = Event.__table__.c
ALL = select(
    *COLUMNS["id", "aws_id", "channel", "kind", "happened_at", "received_at"],
    *COLUMNS["outcome", "status_after", "subscription_id"],
    *COLUMNS["product_code", "customer_aws_account_id", "customer_identifier"],
    *COLUMNS["license_arn", "agreement_id", "previous_agreement_id"],
)
NEWEST_FIRST = ALL.order_by(Event.id.desc())
WITH_BODY = ALL.add_columns(Event.body)
BY_ID = WITH_BODY.where(Event.id == bindparam("event_id", type_=Uuid))
BY_AWS_ID = WITH_BODY.where(Event.aws_id == bindparam("aws_id"))
BY_SUBSCRIPTION = ALL.where(Event.subscription_id == bindparam("subscription_id", type_=Uuid)).order_by(
    Event.happened_at, Event.id
)
# Few events are left unapplied, and the index finds these alone.
UNAPPLIED = (
    ALL.where(Event.outcome.in_(["ambiguous", "waiting"]), Event.subscription_id.is_(None))
    .where(
        or_(
            Event.agreement_id == bindparam("agreement_id"),
            Event.previous_agreement_id == bindparam("agreement_id"),
            (Event.customer_identifier == bindparam("customer_identifier"))
            & (Event.product_code == bindparam("product_code")),
        )
    )
    .order_by(Event.id)
)
NEXT_WITH_OUTCOME = (
    select(Event.id)
    .where(Event.outcome == bindparam("outcome"), Event.id > bindparam("last_id", type_=Uuid))
    .order_by(Event.id)
    .limit(1)
)


@query
def newest(
    connection: Connection,
    *,
    limit: int,
    outcome: str | None = None,
    subscription_id: UUID | None = None,
    product_code: str | None = None,
    since: datetime | None = None,
) -> list[RowDict]:
    """Return the events that match all given filters, the last received first, without their bodies."""
    conditions = rows.filter_conditions({Event.outcome: outcome, Event.subscription_id: subscription_id})
    conditions += rows.since_condition(Event.received_at, since)
    if product_code is not None:
        # AWS names no product in an agreement's event, so its subscription decides.
        of_product = exists().where(Subscription.id == Event.subscription_id, Subscription.product_code == product_code)
        conditions.append(or_(Event.product_code == product_code, of_product))
    return rows.fetch_all(connection, NEWEST_FIRST.where(*conditions).limit(limit))


@query
def find_by_any_id(connection: Connection, identifier: str) -> RowDict | None:
    """Return the event with its body, by our id of it or else by AWS's; None if there is none."""
    event_id = rows.parse_uuid(identifier)
    matches = rows.fetch_all(connection, BY_ID, {"event_id": event_id}) if event_id else []
    matches = matches or rows.fetch_all(connection, BY_AWS_ID, {"aws_id": identifier})
    return next(iter(matches), None)


@query
def list_by_subscription(connection: Connection, subscription_id: UUID) -> list[RowDict]:
    """Return the subscription's events in the order in which they happened, without their bodies."""
    return rows.fetch_all(connection, BY_SUBSCRIPTION, {"subscription_id": subscription_id})


@query
def list_unapplied(connection: Connection, subscription: Mapping[str, Any]) -> list[RowDict]:
    """Return the events that name the subscription's agreement or customer and could not be applied, oldest first."""
    names = ("agreement_id", "customer_identifier", "product_code")
    return rows.fetch_all(connection, UNAPPLIED, {name: subscription[name] for name in names})


@query
def next_id_with_outcome(connection: Connection, outcome: str, last_id: UUID = rows.MIN_ID) -> UUID | None:
    """Return the id of the oldest event with that outcome received after the event `last_id`."""
    return connection.scalar(NEXT_WITH_OUTCOME, {"outcome": outcome, "last_id": last_id})


@query
def candidate_subscription_ids(connection: Connection, event: RowDict) -> list[UUID]:
    """Return the subscriptions that an ambiguous event may be about: of its customer, or of its agreements."""
    if event["customer_identifier"]:
        customer = {name: event[name] for name in ("customer_identifier", "product_code")}
        return sorted(connection.scalars(match.SELECT_OF_CUSTOMER, customer))
    agreement_ids = [event[name] for name in ("agreement_id", "previous_agreement_id") if event[name]]
    return sorted(connection.scalars(agreements.select_ids_by_agreement(agreement_ids)))
