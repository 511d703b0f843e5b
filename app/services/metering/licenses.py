"""Whose usage an item is: the subscription, and the license that was in force when it was used.

A renewal gives a subscription another license. Usage from before it belongs to the one before:

    10:00   license l-1, since License Updated of last year
    10:30   License Updated l-2, License Deprovisioned l-1      usage of 10:29 is l-1's, usage of 10:31 l-2's
    11:30   AWS takes no more usage of l-1
"""

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, String, Uuid, bindparam, func, select

from app.aws.customer import Customer, license_id
from app.aws.event_kinds import LICENSE_KINDS, PARTY_SUFFIXES, AwsEventKind
from app.database.rows import MIN_TIME, parse_uuid
from app.models import EarlierKey, Event, Subscription
from app.models.purchases import FINAL_STATUSES, HAS_FORMER_ID
from app.services.metering import clock
from app.services.metering.hours import FINAL_WINDOW, HOUR, final_freeze_time

EVENT_KINDS = [f"{kind}{suffix}" for kind in LICENSE_KINDS for suffix in ("", *PARTY_SUFFIXES)]
SUBSCRIPTIONS = Subscription.__table__
COLUMNS = (
    SUBSCRIPTIONS.c.id,
    SUBSCRIPTIONS.c.product_code,
    SUBSCRIPTIONS.c.customer_aws_account_id,
    SUBSCRIPTIONS.c.customer_identifier,
    SUBSCRIPTIONS.c.license_arn,
    SUBSCRIPTIONS.c.agreement_id,
    SUBSCRIPTIONS.c.status,
    SUBSCRIPTIONS.c.status_since,
    SUBSCRIPTIONS.c.created_at,
)
SUBSCRIPTION_IDS = bindparam("subscription_ids", type_=Uuid, expanding=True)
SELECT_BY_ID = select(*COLUMNS).where(SUBSCRIPTIONS.c.id.in_(SUBSCRIPTION_IDS))
# In one order, and in one statement: a merge locks several as well. Shared: others may take items of the same ones.
LOCK_BY_ID = SELECT_BY_ID.order_by(SUBSCRIPTIONS.c.id).with_for_update(read=True)
SELECT_BY_FORMER_ID = select(SUBSCRIPTIONS.c.id).where(HAS_FORMER_ID)
KEYS = bindparam("keys", type_=String, expanding=True)
# The second prevails.
SELECT_IDS_BY_KEY = (
    select(EarlierKey.purchase_key, EarlierKey.subscription_id.label("id")).where(EarlierKey.purchase_key.in_(KEYS)),
    select(SUBSCRIPTIONS.c.purchase_key, SUBSCRIPTIONS.c.id).where(SUBSCRIPTIONS.c.purchase_key.in_(KEYS)),
)
SELECT_LICENSE_EVENTS = (
    select(
        Event.subscription_id,
        Event.license_arn,
        Event.kind,
        func.min(Event.happened_at).label("first_at"),
        func.max(Event.happened_at).label("last_at"),
    )
    .where(Event.subscription_id.in_(SUBSCRIPTION_IDS), Event.kind.in_(EVENT_KINDS), Event.license_arn.is_not(None))
    .group_by(Event.subscription_id, Event.license_arn, Event.kind)
)


@dataclass(frozen=True)
class License:
    """One license, or the subscription of an old listing, which has none: `arn` is None, and `key` names the customer.

    None as a time: AWS's events did not tell.
    """

    key: str
    arn: str | None
    started_at: datetime | None = None
    ended_at: datetime | None = None


@dataclass(frozen=True)
class MeteredSubscription:
    """A subscription with its licenses, in the order in which they came into force."""

    id: UUID
    product_code: str
    customer_aws_account_id: str | None
    customer_identifier: str | None
    status: str
    status_since: datetime
    created_at: datetime
    licenses: tuple[License, ...]

    def license_at(self, at: datetime) -> License:
        """Return the license that was in force."""
        begun = [license_ for license_ in self.licenses if license_.started_at is None or license_.started_at <= at]
        return (begun or self.licenses[:1])[-1]

    def license_by_arn(self, arn: str) -> License:
        """Return the license that an item names."""
        found = self.license_by_key(license_id(arn))
        return found if found.arn else replace(found, arn=arn)

    def license_by_key(self, key: str) -> License:
        """Return the license of an hour; one of which nothing is known where it is none of these."""
        return next((license_ for license_ in self.licenses if license_.key == key), License(key, None))

    def ended_at(self, license_: License) -> datetime | None:
        """Return when usage ended; None while it goes on.

        AWS's pages differ on whether Agreement Ended or License Deprovisioned begins the last hour. So an hour is kept
        for each: usage goes on where the license is in force still when the agreement's hour is over.
        """
        if license_ != self.licenses[-1]:
            return license_.ended_at
        if self.status in FINAL_STATUSES:
            return license_.ended_at or self.status_since
        is_last_hour = self.status == "ending" and clock.now() < final_freeze_time(self.status_since)
        return self.status_since if is_last_hour else None

    def takes_usage_until(self, license_: License) -> datetime | None:
        """Return from when on AWS takes no usage; None while the license is in force."""
        if license_ != self.licenses[-1]:
            return license_.ended_at + FINAL_WINDOW if license_.ended_at else None
        if self.status not in FINAL_STATUSES:
            return None
        if license_.arn is None:
            # unsubscribe-success: the hour began with unsubscribe-pending.
            return self.status_since
        # License Deprovisioned may be on its way still, and opens an hour of its own.
        return license_.ended_at + FINAL_WINDOW if license_.ended_at else self.status_since + 2 * FINAL_WINDOW

    def is_active_during(self, license_: License, hour: datetime) -> bool:
        """Return whether the license was in force during the whole hour."""
        if self.status == "pending":
            return False
        # Where no event of the license tells, that of the status does, or else the landing.
        began_at = license_.started_at or (self.status_since if self.status == "active" else self.created_at)
        ended_at = self.ended_at(license_)
        return began_at <= hour and (ended_at is None or ended_at >= hour + HOUR)

    def last_freeze_time(self, license_: License, ended_at: datetime) -> datetime:
        """Return until when the hour in which usage ended takes items."""
        until = self.takes_usage_until(license_)
        return ended_at if until is not None and until <= ended_at else final_freeze_time(ended_at)


@dataclass(frozen=True)
class Target:
    """What an item's `subscription` names: a subscription, and the license where it is an ARN."""

    subscription: MeteredSubscription
    license_arn: str | None = None

    def license_at(self, at: datetime) -> License:
        """Return the license of the item: the one that it names, or the one that was in force."""
        if self.license_arn:
            return self.subscription.license_by_arn(self.license_arn)
        return self.subscription.license_at(at)


def find_targets(connection: Connection, names: Collection[str], *, lock: bool = False) -> dict[str, Target]:
    """Return the subscriptions by the names of items: ids, those of merged ones included, or license ARNs.

    `lock` them to store items: until the transaction ends, none gets another license, is merged, or ends.
    """
    statement = LOCK_BY_ID if lock else SELECT_BY_ID
    ids = {name: parsed for name in names if (parsed := parse_uuid(name))}
    keys = {name: license_id(name) for name in names if name not in ids and name.startswith("arn:")}
    by_key = _find_ids(connection, keys.values()) if keys else {}
    wanted = ids | {name: by_key[key] for name, key in keys.items() if key in by_key}
    rows = _rows_by_id(connection, statement, wanted.values())
    # Those that are missing have been merged into others, which is seen only once the lock is waited for.
    missing = set(wanted.values()) - rows.keys()
    merged = {id_: into for id_ in missing if (into := connection.scalar(SELECT_BY_FORMER_ID, {"former_id": str(id_)}))}
    rows |= _rows_by_id(connection, statement, merged.values()) if merged else {}
    subscriptions = with_licenses(connection, rows.values())
    return {
        name: Target(subscriptions[present_id], None if name in ids else name)
        for name, id_ in wanted.items()
        if (present_id := merged.get(id_, id_)) in subscriptions
    }


def find_by_ids(connection: Connection, subscription_ids: Collection[UUID]) -> dict[UUID, MeteredSubscription]:
    """Return the subscriptions by their ids."""
    return with_licenses(connection, _rows_by_id(connection, SELECT_BY_ID, subscription_ids).values())


def _rows_by_id(connection: Connection, statement: Any, ids: Collection[UUID]) -> dict[UUID, Row[Any]]:
    return {row.id: row for row in connection.execute(statement, {"subscription_ids": list(set(ids))})}


def with_licenses(connection: Connection, rows: Iterable[Row[Any]]) -> dict[UUID, MeteredSubscription]:
    """Return the subscriptions of these rows, by id."""
    by_id = {row.id: row for row in rows}
    events = defaultdict(list)
    for event in connection.execute(SELECT_LICENSE_EVENTS, {"subscription_ids": list(by_id)}):
        events[event.subscription_id].append(event)
    return {id_: _build(row, events[id_]) for id_, row in by_id.items()}


def _find_ids(connection: Connection, keys: Collection[str]) -> dict[str, UUID]:
    """Return the subscriptions' ids by the keys of their licenses, the earlier ones included."""
    found = (connection.execute(statement, {"keys": list(set(keys))}) for statement in SELECT_IDS_BY_KEY)
    return {row.purchase_key: row.id for rows in found for row in rows}


def _read_events(events: Iterable[Row[Any]]) -> dict[str, License]:
    """Return the licenses by their ids. One that was updated after it had ended is in force again."""
    arns: dict[str, str] = {}
    started: dict[str, datetime] = {}
    updated: dict[str, datetime] = {}
    ended: dict[str, datetime] = {}
    for event in events:
        key = license_id(event.license_arn)
        arns.setdefault(key, event.license_arn)
        if event.kind.startswith(AwsEventKind.LICENSE_UPDATED):
            started[key] = min(event.first_at, started.get(key, event.first_at))
            updated[key] = max(event.last_at, updated.get(key, event.last_at))
        else:
            ended[key] = max(event.last_at, ended.get(key, event.last_at))
    in_force = {key for key, at in updated.items() if at > ended.get(key, MIN_TIME)}
    return {
        key: License(key, arn, started.get(key), None if key in in_force else ended.get(key))
        for key, arn in arns.items()
    }


def _build(row: Row[Any], events: Iterable[Row[Any]]) -> MeteredSubscription:
    licenses = _read_events(events)
    customer = Customer.from_row(row)
    if customer.license_arn:
        key = license_id(customer.license_arn)
        # ResolveCustomer's spelling, which events may differ from.
        licenses[key] = replace(licenses.get(key, License(key, None)), arn=customer.license_arn)
    else:
        # No event names a license that began: that of the status tells.
        started_at = row.status_since if row.status == "active" else None
        licenses.setdefault(customer.key_without_license, License(customer.key_without_license, None, started_at))
    current = license_id(customer.license_arn) if customer.license_arn else customer.key_without_license
    ordered = sorted(licenses.values(), key=lambda one: (one.key == current, one.started_at or row.created_at))
    return MeteredSubscription(
        row.id,
        row.product_code,
        row.customer_aws_account_id,
        row.customer_identifier,
        row.status,
        row.status_since or row.created_at,
        row.created_at,
        tuple(ordered),
    )
