"""What AWS bills for usage: an invoice for each license (or old-style customer) and month."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC
from decimal import Decimal
from typing import Any
from uuid import UUID

from sandbox.marketplace import Marketplace
from sandbox.metering.dimensions import Dimension
from sandbox.metering.ledger import BilledRecord, find_billed_twice
from sandbox.metering.licenses import License, Licenses
from sandbox.sent_usage import SentItem

CENT = Decimal("0.01")


@dataclass(frozen=True)
class InvoiceLine:
    """The usage of one dimension in a month. `sent` and `unsent` are None if the example product does not run."""

    dimension: Dimension
    records: list[BilledRecord]
    twice: Decimal
    sent: Decimal | None
    unsent: Decimal | None

    @property
    def quantity(self) -> Decimal:
        """The billed quantity."""
        return sum((record.quantity for record in self.records), Decimal())

    @property
    def hours(self) -> int:
        """In how many hours there was usage."""
        return len({record.hour for record in self.records})

    @property
    def amount(self) -> Decimal:
        """The price of the billed quantity, in US dollars."""
        return self.quantity * self.dimension.price

    def to_json(self) -> dict[str, Any]:
        """Return the line with its numbers as text."""
        return {
            "dimension": self.dimension.key,
            "unit": self.dimension.unit,
            "price": plain(self.dimension.price),
            "quantity": plain(self.quantity),
            "amount": plain(self.amount),
            "records": len(self.records),
            "hours": self.hours,
            "billed_twice": plain(self.twice),
            "sent": None if self.sent is None else plain(self.sent),
            "unsent": None if self.unsent is None else plain(self.unsent),
        }


@dataclass(frozen=True)
class Invoice:
    """The usage of one license in one month, such as 2026-11."""

    license: License
    month: str
    lines: list[InvoiceLine]

    @property
    def total(self) -> Decimal:
        """The sum of all lines, in US dollars."""
        return sum((line.amount for line in self.lines), Decimal())

    @property
    def records(self) -> list[BilledRecord]:
        """The billed records, latest hour first."""
        records = (record for line in self.lines for record in line.records)
        return sorted(records, key=lambda record: (record.hour, record.booked_at), reverse=True)

    def to_json(self) -> dict[str, Any]:
        """Return the invoice with its numbers as text."""
        return {
            "license": self.license.name,
            "purchase_id": str(self.license.purchase_id),
            "account_id": self.license.account_id,
            "product_code": self.license.product_code,
            "month": self.month,
            "total": plain(self.total),
            "lines": [line.to_json() for line in self.lines],
        }


Key = tuple[str, str, str]


def build(marketplace: Marketplace, sent: list[SentItem] | None, purchase_id: UUID | None = None) -> list[Invoice]:
    """Return the invoices of one purchase, or of all, the latest month first.

    A month in which the example product sent usage has an invoice, even if nothing is billed yet. `sent` is None if it
    does not run.
    """
    licenses, billed = marketplace.usage.licenses, marketplace.usage.ledger.records
    twice = find_billed_twice(billed)
    records, items = _group_records(billed), _group_items(licenses, sent or [])
    wanted = {license_.name for license_ in licenses.of_purchase(purchase_id)} if purchase_id else None
    return [
        Invoice(license_, key[0], _build_lines(prices, records[key], None if sent is None else items[key], twice))
        for key in sorted({*records, *items}, reverse=True)
        if (wanted is None or key[2] in wanted) and (license_ := licenses.find(key[1], key[2]))
        for prices in [marketplace.dimensions.get(key[1], ())]
    ]


def plain(number: Decimal) -> str:
    """Return a number without an exponent and without trailing zeros."""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def dollars(amount: Decimal) -> str:
    """Return an amount as an invoice prints it."""
    return f"${amount.quantize(CENT):,}"


def _group_records(billed: list[BilledRecord]) -> defaultdict[Key, list[BilledRecord]]:
    grouped: defaultdict[Key, list[BilledRecord]] = defaultdict(list)
    for record in billed:
        grouped[record.month, record.product_code, record.license].append(record)
    return grouped


def _group_items(licenses: Licenses, sent: list[SentItem]) -> defaultdict[Key, list[SentItem]]:
    grouped: defaultdict[Key, list[SentItem]] = defaultdict(list)
    for item in sent:
        # The example product may remember purchases that this sandbox never sold, or has forgotten.
        if license_ := licenses.find(item.product_code, item.license):
            grouped[item.at.astimezone(UTC).strftime("%Y-%m"), item.product_code, license_.name].append(item)
    return grouped


def _build_lines(
    prices: tuple[Dimension, ...], records: list[BilledRecord], items: list[SentItem] | None, twice: set[str]
) -> list[InvoiceLine]:
    used = {record.dimension for record in records} | {item.dimension for item in items or ()}
    known = {dimension.key: dimension for dimension in prices}
    # A product that is no longer sold has no price.
    dimensions = [known.get(key) or Dimension(key=key, unit="", price=Decimal()) for key in sorted(used)]
    return [
        InvoiceLine(
            dimension=dimension,
            records=(mine := [record for record in records if record.dimension == dimension.key]),
            twice=sum((record.quantity for record in mine if record.metering_record_id in twice), Decimal()),
            sent=_sum(items, dimension, is_accepted=True),
            unsent=_sum(items, dimension, is_accepted=False),
        )
        for dimension in dimensions
    ]


def _sum(items: list[SentItem] | None, dimension: Dimension, *, is_accepted: bool) -> Decimal | None:
    if items is None:
        return None
    matching = (item for item in items if item.dimension == dimension.key and item.is_accepted == is_accepted)
    return sum((item.quantity for item in matching), Decimal())
