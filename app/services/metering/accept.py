"""Accepting usage: each item is stored once, in the hour in which it is billed, and gets a verdict.

An item belongs to the hour of its time. Where that hour is frozen, the item is late: it goes to the next hour that
still takes items, of the same license and month, or is held for a person to decide:

    item of 14:20, at 14:25   hour 14 is open      hour 14
    item of 14:50, at 15:30   hour 14 is frozen    hour 15, marked late
    the same, at 00:30 of the next month           held: AWS bills by months

A transaction locks the hours before it looks for known ids. Two requests with the same item want the same hour, so that
the second finds the first one's item. Where they create the hour, the second's item violates a constraint, and its
transaction runs again.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NoReturn

import structlog
from sqlalchemy import Connection, String, bindparam, insert, select
from uuid_utils.compat import uuid7

from app.config import products
from app.database.transactions import after_commit, transaction
from app.models import UsageItem
from app.observability import metrics
from app.services.metering import clock, hours, items, licenses, quantity
from app.services.metering.hour_book import HourBook, ItemVerdict, Placement
from app.services.metering.hour_rows import find_product_code_hours
from app.services.metering.items import InvalidItem
from app.services.metering.licenses import Target
from app.services.outbox import usage_mails
from app.services.outbox.usage_mails import UsageProblem

log = structlog.get_logger()

NOT_FOUND = "There is no such subscription or license. Send the id from the hand-off, or the license's ARN."
ITEM_IDS = bindparam("item_ids", type_=String, expanding=True)
PRODUCT_CODES = bindparam("product_codes", type_=String, expanding=True)
# By the product as well: the index begins with it.
SELECT_KNOWN = select(UsageItem.__table__).where(
    UsageItem.product_code.in_(PRODUCT_CODES), UsageItem.item_id.in_(ITEM_IDS)
)
INSERT_ITEMS = insert(UsageItem)


@transaction
def accept(connection: Connection, values: Sequence[object], product_codes: frozenset[str] | None) -> list[ItemVerdict]:
    """Store the valid items among these JSON values, all or none, and return the verdict on each, in their order.

    `product_codes` are those that the sender may meter; None: every product. An item that is known with the same
    content is accepted again.

    Raises:
        DatabaseUnavailable: nothing was stored. To send all again is safe.
    """
    return _accept(connection, values, product_codes)


def try_out(values: Sequence[object], product_codes: frozenset[str] | None) -> list[ItemVerdict]:
    """Return the verdicts that `accept` would give now, and store nothing. Raises DatabaseUnavailable."""
    try:
        _accept_and_undo(values, product_codes)
    except _TriedOut as tried:
        return tried.verdicts


class _TriedOut(Exception):
    """Takes the transaction back, and keeps its verdicts."""

    def __init__(self, verdicts: list[ItemVerdict]) -> None:
        self.verdicts = verdicts


@transaction
def _accept_and_undo(
    connection: Connection, values: Sequence[object], product_codes: frozenset[str] | None
) -> NoReturn:
    raise _TriedOut(_accept(connection, values, product_codes))


def _accept(
    connection: Connection, values: Sequence[object], product_codes: frozenset[str] | None
) -> list[ItemVerdict]:
    now = clock.now()
    verdicts: dict[int, ItemVerdict] = {}
    parsed: dict[int, items.UsageItem] = {}
    for position, value in enumerate(values):
        try:
            parsed[position] = items.parse(value, now)
        except InvalidItem as error:
            verdicts[position] = ItemVerdict(items.read_id(value), 422, "refused", error.code)
    targets = licenses.find_targets(connection, {item.subscription for item in parsed.values()}, lock=True)
    placements = []
    for position, item in parsed.items():
        placed = _target(position, item, targets.get(item.subscription), product_codes)
        if isinstance(placed, ItemVerdict):
            verdicts[position] = placed
        else:
            placements.append(placed)
    _store(connection, placements, verdicts, now)
    _log_verdicts(verdicts)
    return [verdicts[position] for position in range(len(values))]


def _target(
    position: int,
    item: items.UsageItem,
    target: Target | None,
    product_codes: frozenset[str] | None,
) -> Placement | ItemVerdict:
    """Return where the item belongs, or why it has no place."""
    if target is None or (product_codes is not None and target.subscription.product_code not in product_codes):
        return ItemVerdict(item.id, 404, "refused", NOT_FOUND)
    rules = products.usage_rules(target.subscription.product_code)
    if rules.dimensions and item.dimension not in rules.dimensions:
        detail = f"The product has no dimension {item.dimension!a}. It has: {', '.join(rules.dimensions)}."
        return ItemVerdict(item.id, 422, "refused", detail)
    license_ = target.license_at(item.at)
    ended_at = target.subscription.ended_at(license_)
    return Placement(position, item, target, license_, min(item.at, ended_at) if ended_at else item.at, rules)


def _store(
    connection: Connection, placements: list[Placement], verdicts: dict[int, ItemVerdict], now: datetime
) -> None:
    keep_product_code_hours(connection, placements)
    book = HourBook(connection, now)
    # Known items are of hours that may be full, over or frozen: they are accepted again all the same.
    book.lock(placements)
    known = _known_items(connection, placements)
    refused = {one.position: refusal for one in placements if (refusal := _refusal(one, now))}
    book.prepare([one for one in placements if one.item_key not in known and one.position not in refused])
    stored: dict[tuple[str, str], dict[str, Any]] = {}
    for placement in placements:
        row = _content(placement)
        before = known.get(placement.item_key) or stored.get(placement.item_key)
        if before is not None:
            is_known = placement.item_key in known
            verdicts[placement.position] = _compare(placement.item, before, row, is_known=is_known)
            continue
        problem = refused.get(placement.position) or book.place(placement)
        if problem:
            verdicts[placement.position] = problem
            continue
        stored[placement.item_key] = {
            **row,
            "id": uuid7(),
            "product_code": placement.item_key[0],
            "item_id": placement.item.id,
            "hour_id": placement.slot.row.id if placement.slot else None,
            "is_late": placement.is_late,
            "received_at": now,
        }
        verdicts[placement.position] = ItemVerdict(placement.item.id, 200, "accepted", book.remark(placement))
    book.rows.write()
    if stored:
        # In one order: another request may have the same ids, with other usage.
        connection.execute(INSERT_ITEMS, [stored[key] for key in sorted(stored)])
    _report_held(connection, stored.values())


def _report_held(connection: Connection, rows: Iterable[Mapping[str, Any]]) -> None:
    """Let the seller know of the items that no hour bills."""
    held: dict[str, list[UsageProblem]] = defaultdict(list)
    for row in rows:
        if row["hour_id"] is None:
            held[row["product_code"]].append(UsageProblem("held", row["id"]))
    for product_code, problems in sorted(held.items()):
        after_commit(log.warning, "usage.held", items=len(problems), product=product_code)
        usage_mails.enqueue_problems(connection, product_code, problems)


def _refusal(placement: Placement, now: datetime) -> ItemVerdict | None:
    until = placement.target.subscription.takes_usage_until(placement.license)
    if until is None or now < until:
        return None
    detail = f"The subscription ended, and AWS has taken no usage of it since {until:%Y-%m-%dT%H:%M:%SZ}."
    return ItemVerdict(placement.item.id, 409, "refused", detail)


def keep_product_code_hours(connection: Connection, placements: Sequence[Placement]) -> None:
    """Let an hour that was begun by the product code go on so: AWS would bill the same hour twice by two forms."""
    licensed = {
        p.target.subscription.id for p in placements if p.license.arn and p.target.subscription.customer_identifier
    }
    if not licensed:
        return
    # A late item goes to an hour until now.
    first, last = min(hours.hour_of(placement.at) for placement in placements), hours.hour_of(clock.now())
    product_code_hours = find_product_code_hours(connection, licensed, first, last)
    for placement in placements:
        placement.product_code_hours = product_code_hours.get(placement.target.subscription.id, {})


def _known_items(connection: Connection, placements: Iterable[Placement]) -> dict[tuple[str, str], dict[str, Any]]:
    keys = {placement.item_key for placement in placements}
    if not keys:
        return {}
    names = {"product_codes": list({code for code, _ in keys}), "item_ids": list({item_id for _, item_id in keys})}
    rows = connection.execute(SELECT_KNOWN, names).mappings()
    return {(row["product_code"], row["item_id"]): dict(row) for row in rows}


def _content(placement: Placement) -> dict[str, Any]:
    item = placement.item
    micros, picos = quantity.split(item.picos)
    return {
        "subscription_id": placement.target.subscription.id,
        "dimension": item.dimension,
        "micros": micros,
        "picos": picos,
        "used_at": item.at,
        "tags": dict(item.tags) or None,
    }


def _compare(
    item: items.UsageItem, before: Mapping[str, Any], content: Mapping[str, Any], *, is_known: bool
) -> ItemVerdict:
    differing = [name for name, value in content.items() if before[name] != value]
    if not differing:
        return ItemVerdict(item.id, 200, "accepted", is_known=is_known)
    detail = "Another item with this id was accepted before, and counts. Send new usage with a new id."
    return ItemVerdict(item.id, 409, "conflict", detail)


def _log_verdicts(verdicts: Mapping[int, ItemVerdict]) -> None:
    counts: dict[str, int] = defaultdict(int)
    for verdict in verdicts.values():
        counts[verdict.verdict] += 1
    after_commit(log.info, "usage.received", **counts)
    after_commit(metrics.count_usage_items, counts)
