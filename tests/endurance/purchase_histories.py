"""Lives of purchases as AWS knows them: the events that tell of each, and the truth that these add up to."""

import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from app.services.purchases.purchase import Resolved
from tests.support import factories
from tests.support.aws_events import eventbridge_event, minutes_after_noon, sns_notification

AGREEMENT_CREATED, AGREEMENT_ENDED = "Purchase Agreement Created", "Purchase Agreement Ended"
LICENSE_UPDATED, LICENSE_DEPROVISIONED = "License Updated - Manufacturer", "License Deprovisioned - Manufacturer"
PROPOSER, MANUFACTURER = "Proposer", "Manufacturer"
NO_LICENSE_OUTCOMES = frozenset(["waiting"])
# An agreement and, on new listings, its license.
AgreementAndLicense = tuple[str, str | None]
OUR_OUTCOMES, OTHER_SELLER_OUTCOMES = frozenset(["applied", "noted"]), frozenset(["not_ours"])


@dataclass
class PurchaseHistory:
    """One purchase: its names, the first ones first; its events; and where it stands, by the events' own times."""

    number: int
    names: list[AgreementAndLicense]
    status: str = "pending"
    since: datetime | None = None
    bodies: dict[str, str] = field(default_factory=dict)
    # What has become of its events in the end; and whether its buyer comes meanwhile.
    outcomes: frozenset[str] = OUR_OUTCOMES
    has_buyer: bool = False
    _minutes: int = 0

    @property
    def is_subscription_expected(self) -> bool:
        """Whether there has to be a subscription in the end."""
        return self.outcomes == OUR_OUTCOMES

    @property
    def expected_row(self) -> tuple[str, str, str, str]:
        """Return what has to be stored of it: its key, its agreement, its status, and since when."""
        agreement, license_id = self.names[-1]
        key = license_id or f"{factories.PRODUCT_CODE}/{self._customer}"
        return key, agreement if license_id else "", self.status, str(self.since)

    @property
    def company(self) -> str:
        """The company that its buyer signs up."""
        return f"Company {self.number}"

    @property
    def _customer(self) -> str:
        return f"customer-{self.number}"

    def resolved(self) -> Resolved:
        """Return its buyer at the door, with any of the names that it ever had."""
        agreement, license_id = random.choice(self.names)  # noqa: S311
        if license_id is None:
            return factories.resolved(customer_identifier=self._customer, license_arn=None, agreement_id=None)
        arn = f"arn:aws:license-manager::294406891311:license:{license_id}"
        return factories.resolved(license_arn=arn, agreement_id=agreement)

    def add_event(
        self, kind: str, new_status: str | None = None, names: tuple[str, str | None] | None = None, **about: Any
    ) -> None:
        """Add an event, later than every one before, and what it truly makes of the purchase."""
        self._minutes += 1
        agreement, license_id = names or self.names[-1]
        aws_id, moment = f"event-{self.number}-{len(self.bodies)}", minutes_after_noon(self._minutes)
        if license_id is None:
            body = sns_notification(kind, moment, customer=self._customer, id=aws_id)
        else:
            body = eventbridge_event(kind, moment, agreement=agreement, license=license_id, id=aws_id, **about)
        self.bodies[aws_id] = json.dumps(body)
        if new_status and new_status != self.status:
            self.status, self.since = new_status, moment


def create_histories(count: int) -> list[PurchaseHistory]:
    """Return so many lives, a quarter of them with a buyer who comes."""
    kinds: list[Callable[[PurchaseHistory], None]] = [
        _add_new_listing_events,
        _add_new_listing_events,
        _add_new_listing_events,
        _add_old_listing_events,
        _add_old_listing_events,
    ]
    lives = []
    for number in range(count):
        live = kinds[number % len(kinds)]
        names: AgreementAndLicense = (f"agmt-{number}-0", None if live is _add_old_listing_events else f"l-{number}-0")
        life = PurchaseHistory(number, [names])
        # Some agreements never come to a license, and some licenses are another seller's.
        (_add_agreement_only if number % 40 == 2 else _add_other_seller_event if number % 40 == 1 else live)(life)
        life.has_buyer = life.is_subscription_expected and _with_probability(0.25)
        lives.append(life)
    return lives


def _add_new_listing_events(life: PurchaseHistory) -> None:
    life.add_event(f"{AGREEMENT_CREATED} - {PROPOSER}", status="ACTIVE")
    life.add_event(LICENSE_UPDATED, "active")
    for _ in range(random.choice([0, 0, 1, 1, 2])):  # noqa: S311
        _add_renewal(life, with_new_license=_with_probability(0.6))
    if _with_probability(0.5):
        life.add_event(f"{AGREEMENT_ENDED} - {random.choice([PROPOSER, MANUFACTURER])}", "ending", status="CANCELLED")  # noqa: S311
        life.add_event(LICENSE_DEPROVISIONED, "ended")


def _add_renewal(life: PurchaseHistory, *, with_new_license: bool) -> None:
    before = life.names[-1]
    turn = len(life.names)
    life.names.append((f"agmt-{life.number}-{turn}", f"l-{life.number}-{turn}" if with_new_license else before[1]))
    for party in (PROPOSER, MANUFACTURER):
        life.add_event(f"{AGREEMENT_CREATED} - {party}", previous=before[0])
    life.add_event(LICENSE_UPDATED, "active")
    life.add_event(f"{AGREEMENT_ENDED} - {PROPOSER}", names=before, status="RENEWED")
    if with_new_license:
        life.add_event(LICENSE_DEPROVISIONED, names=before)


def _add_old_listing_events(life: PurchaseHistory) -> None:
    if _with_probability(0.2):
        life.add_event("subscribe-fail", "failed")
    for _ in range(random.choice([1, 2, 2, 3])):  # noqa: S311
        life.add_event("subscribe-success", "active")
        life.add_event("unsubscribe-pending", "ending")
        life.add_event("unsubscribe-success", "ended")
    if _with_probability(0.5):
        life.add_event("subscribe-success", "active")


def _add_agreement_only(life: PurchaseHistory) -> None:
    life.add_event(f"{AGREEMENT_CREATED} - {PROPOSER}", status="ACTIVE")
    life.outcomes = NO_LICENSE_OUTCOMES


def _add_other_seller_event(life: PurchaseHistory) -> None:
    life.add_event(LICENSE_UPDATED, code="another-sellers-product")
    life.outcomes = OTHER_SELLER_OUTCOMES


def _with_probability(probability: float) -> bool:
    return random.random() < probability  # noqa: S311
