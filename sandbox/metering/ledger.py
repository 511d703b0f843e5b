"""The ledger: every usage record that is billed. The first record of an hour is, and no later one replaces it."""

import threading
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID, uuid4

from pydantic import BaseModel

from sandbox.metering import times
from sandbox.metering.identities import Form, Identity
from sandbox.metering.licenses import License
from sandbox.metering.requests import WireRecord

Status = Literal["Success", "DuplicateRecord", "CustomerNotSubscribed"]
# One record per Region, form, license or customer, dimension and hour.
Key = tuple[str, Form, str, str, datetime]


class BilledRecord(BaseModel):
    """One billed usage record. `license` is the license's ARN, or the customer identifier of an old-style purchase."""

    metering_record_id: str
    region: str
    form: Form
    identity: str
    purchase_id: UUID
    license: str
    account_id: str
    product_code: str
    dimension: str
    hour: datetime
    timestamp: datetime
    quantity: Decimal
    booked_at: datetime
    allocations: list[dict[str, Any]] = []

    @property
    def key(self) -> Key:
        """What identifies the record to AWS."""
        return self.region, self.form, self.identity, self.dimension, self.hour

    @property
    def month(self) -> str:
        """The month on whose invoice the record is, such as 2026-11."""
        return self.hour.strftime("%Y-%m")


@dataclass(frozen=True)
class Metered:
    """A record of a call that passed every rule."""

    record: WireRecord
    identity: Identity
    at: datetime


class Ledger:
    """All billed records. Thread-safe."""

    def __init__(self, stored: list[BilledRecord]) -> None:
        self._lock = threading.Lock()
        self._records = stored
        self._by_key = {record.key: record for record in stored}

    @property
    def records(self) -> list[BilledRecord]:
        """Every billed record, in the order they were booked."""
        return list(self._records)

    def of_purchase(self, purchase_id: UUID) -> list[BilledRecord]:
        """Return the billed records of a purchase, in the order they were booked."""
        return [record for record in self.records if record.purchase_id == purchase_id]

    def totals(self) -> dict[tuple[str, str, str], Decimal]:
        """Return the billed quantity by license (or customer identifier), month such as 2026-11, and dimension."""
        return sum_by(self.records, lambda record: (record.license, record.month, record.dimension))

    def book(self, metered: Metered, region: str, now: datetime, *, repeat_is_duplicate: bool) -> dict[str, Any]:
        """Bill a record unless its hour is billed already, and return its result as AWS prints it.

        `repeat_is_duplicate` chooses the answer to a repeated quantity, of which AWS's documents say both: Success
        again with the same MeteringRecordId, or DuplicateRecord.
        """
        license_ = _find_open_license(metered.identity, metered.at, now)
        if license_ is None:
            return _result(metered.record, "CustomerNotSubscribed")
        record = _bill(metered, license_, region, now)
        with self._lock:
            earlier = self._by_key.setdefault(record.key, record)
            if earlier is record:
                self._records.append(record)
        is_repeated = earlier.quantity == record.quantity and not repeat_is_duplicate
        if earlier is record or is_repeated:
            return _result(metered.record, "Success", earlier.metering_record_id)
        # Whose id AWS returns here is not known, so it is nobody's.
        return _result(metered.record, "DuplicateRecord", record.metering_record_id)

    def reset(self, stored: list[BilledRecord]) -> None:
        """Replace the records."""
        with self._lock:
            self._records = stored
            self._by_key = {record.key: record for record in stored}


def find_billed_twice(records: Iterable[BilledRecord]) -> set[str]:
    """Return the ids of the records whose hour is billed again: in another Region, or in the other form."""
    by_hour = defaultdict(list)
    for record in records:
        by_hour[record.account_id, record.product_code, record.dimension, record.hour].append(record)
    return {
        record.metering_record_id
        for group in by_hour.values()
        if len(group) > 1
        for record in group
        # Two licenses of one customer are two purchases, and each has its own usage.
        if any(other.form != record.form or (other.identity == record.identity) for other in group if other != record)
    }


def sum_by(
    records: Iterable[BilledRecord], key: Callable[[BilledRecord], tuple[str, str, str]]
) -> dict[tuple[str, str, str], Decimal]:
    """Return the sum of the quantities for each key."""
    totals: defaultdict[tuple[str, str, str], Decimal] = defaultdict(Decimal)
    for record in records:
        totals[key(record)] += record.quantity
    return dict(totals)


def _find_open_license(identity: Identity, at: datetime, now: datetime) -> License | None:
    """Return the license that pays, or None if the customer is not subscribed."""
    paying = [license_ for license_ in identity.licenses if license_.accepts_usage(now) and license_.began_at <= at]
    return paying[-1] if paying else None


def _bill(metered: Metered, license_: License, region: str, now: datetime) -> BilledRecord:
    return BilledRecord(
        metering_record_id=str(uuid4()),
        region=region,
        form=metered.identity.form,
        identity=metered.identity.key,
        purchase_id=license_.purchase_id,
        license=license_.name,
        account_id=license_.account_id,
        product_code=license_.product_code,
        dimension=metered.record.Dimension,
        hour=times.hour_of(metered.at),
        timestamp=metered.at,
        quantity=metered.record.quantity,
        booked_at=now,
        allocations=metered.record.to_aws().get("UsageAllocations", []),
    )


def _result(record: WireRecord, status: Status, metering_record_id: str | None = None) -> dict[str, Any]:
    named = {"MeteringRecordId": metering_record_id} if metering_record_id else {}
    return {"UsageRecord": record.to_aws(), **named, "Status": status}
