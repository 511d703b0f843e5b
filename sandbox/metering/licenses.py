"""When usage can be billed: from a license's start until an hour after License Deprovisioned.

An old-style purchase has no license: its usage can be billed while the customer is subscribed. It stands here as well,
with a customer identifier in place of the ARN.
"""

from collections import defaultdict
from datetime import datetime, timedelta
from uuid import UUID

from pydantic import BaseModel

from sandbox.events import Event
from sandbox.purchases import Purchase

FINAL_WINDOW = timedelta(hours=1)
SUBSCRIBED = ("active", "ending")


class License(BaseModel):
    """One license, or one old-style purchase. Times are those of AWS's events, which are whole seconds."""

    purchase_id: UUID
    product_code: str
    account_id: str
    license_arn: str | None
    customer_identifier: str | None
    began_at: datetime
    # Whether AWS has confirmed the purchase.
    is_granted: bool = False
    ended_at: datetime | None = None

    @property
    def name(self) -> str:
        """The ARN, or the customer identifier of an old-style purchase."""
        return self.license_arn or self.customer_identifier or ""

    def accepts_usage(self, now: datetime) -> bool:
        """Return whether the customer's usage can be billed now."""
        window = FINAL_WINDOW if self.license_arn else timedelta()
        return self.is_granted and (self.ended_at is None or now < self.ended_at + window)

    def covers(self, at: datetime) -> bool:
        """Return whether a time lies within the activation period."""
        return self.began_at <= at and (self.ended_at is None or at <= self.ended_at)


class Licenses:
    """All licenses, found by ARN or by customer. Not thread-safe: Marketplace locks around the changes."""

    def __init__(self, stored: list[License]) -> None:
        self._stored = stored
        self._by_arn: dict[str, License] = {}
        self._by_customer: defaultdict[tuple[str, str], list[License]] = defaultdict(list)
        for license_ in stored:
            self._index(license_)

    def by_arn(self, arn: str) -> License | None:
        """Return the license with that ARN, if there is one."""
        return self._by_arn.get(arn)

    def of_customer(self, product_code: str, customer: str) -> list[License]:
        """Return the licenses of an account or a customer identifier, oldest first."""
        return list(self._by_customer.get((product_code, customer), ()))

    def find(self, product_code: str, name: str) -> License | None:
        """Return the license with that ARN, or the latest purchase of that account or customer identifier."""
        return self.by_arn(name) or next(reversed(self.of_customer(product_code, name)), None)

    def of_purchase(self, purchase_id: UUID) -> list[License]:
        """Return the licenses of a purchase, oldest first: a renewal may replace its license."""
        return [license_ for license_ in self._stored if license_.purchase_id == purchase_id]

    def adopt(self, purchases: list[Purchase]) -> None:
        """Add the licenses of purchases from a state file that has none."""
        known = {license_.purchase_id for license_ in self._stored}
        for purchase in purchases:
            if purchase.id not in known:
                self._add(purchase).ended_at = purchase.ends_at if purchase.status in ("ended", "failed") else None

    def follow(self, before: Purchase, after: Purchase, published: list[Event]) -> None:
        """Apply what an action changed, and when its events happened."""
        current = self._find(after) or self._add(after)
        current.is_granted = current.is_granted or after.status in SUBSCRIBED
        if after.style == "old":
            current.ended_at = None if after.status in ("pending", *SUBSCRIBED) else after.ends_at
            return
        for event in published:
            if event.kind.startswith("License Deprovisioned") and (ended := self._find(before)):
                ended.ended_at = event.happened_at

    def _find(self, purchase: Purchase) -> License | None:
        if purchase.license_arn:
            return self._by_arn.get(purchase.license_arn)
        found = self.of_customer(purchase.product_code, purchase.account_id)
        return next((license_ for license_ in found if license_.purchase_id == purchase.id), None)

    def _add(self, purchase: Purchase) -> License:
        license_ = License(
            purchase_id=purchase.id,
            product_code=purchase.product_code,
            account_id=purchase.account_id,
            license_arn=purchase.license_arn,
            customer_identifier=purchase.customer_identifier,
            began_at=(purchase.accepted_at or purchase.bought_at).replace(microsecond=0),
            is_granted=purchase.status in (*SUBSCRIBED, "ended"),
        )
        self._stored.append(license_)
        self._index(license_)
        return license_

    def _index(self, license_: License) -> None:
        if license_.license_arn:
            self._by_arn[license_.license_arn] = license_
        for customer in filter(None, (license_.account_id, license_.customer_identifier)):
            self._by_customer[license_.product_code, customer].append(license_)
