"""Random histories of purchases: the events AWS sends about each, and the row that must be stored in the end."""

import json
import random
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from app.services.purchases.purchase import Resolved
from tests.support import factories
from tests.support.aws_events import (
    AGREEMENT_CREATED,
    AGREEMENT_ENDED,
    LICENSE_DEPROVISIONED,
    LICENSE_UPDATED,
    eventbridge_event,
    minutes_after_noon,
    sns_notification,
)

CREATED_BY_PARTY = (AGREEMENT_CREATED, "Purchase Agreement Created - Manufacturer")
ENDED_BY_PARTY = (AGREEMENT_ENDED, "Purchase Agreement Ended - Manufacturer")
NO_LICENSE_OUTCOMES = frozenset(["waiting"])
# The ids of an agreement and, on new listings, of its license.
AgreementAndLicense = tuple[str, str | None]
OUR_OUTCOMES, OTHER_SELLER_OUTCOMES = frozenset(["applied", "noted"]), frozenset(["not_ours"])


@dataclass
class PurchaseHistory:
    """One purchase: the ids it has had, the first ones first; its events; and its status, by the events' own times."""

    number: int
    ids: list[AgreementAndLicense]
    status: str = "pending"
    since: datetime | None = None
    bodies: dict[str, str] = field(default_factory=dict)
    # Every event must end with one of these outcomes.
    outcomes: frozenset[str] = OUR_OUTCOMES
    has_buyer: bool = False
    _minutes: int = 0

    @property
    def is_subscription_expected(self) -> bool:
        """Whether a subscription must be stored in the end."""
        return self.outcomes == OUR_OUTCOMES

    @property
    def expected_row(self) -> tuple[str, str, str, str]:
        """The purchase key, agreement id, status and its start that must be stored in the end."""
        agreement, license_id = self.ids[-1]
        key = license_id or f"{factories.PRODUCT_CODE}/{self._customer}"
        return key, agreement if license_id else "", self.status, str(self.since)

    @property
    def company(self) -> str:
        """The company that the buyer registers."""
        return f"Company {self.number}"

    @property
    def _customer(self) -> str:
        return f"customer-{self.number}"

    def resolved(self) -> Resolved:
        """Return the purchase as its buyer lands with it: under any of the ids it has had."""
        agreement, license_id = random.choice(self.ids)  # noqa: S311
        if license_id is None:
            return factories.resolved(customer_identifier=self._customer, license_arn=None, agreement_id=None)
        arn = f"arn:aws:license-manager::294406891311:license:{license_id}"
        return factories.resolved(license_arn=arn, agreement_id=agreement)

    def add_event(
        self, kind: str, new_status: str | None = None, ids: AgreementAndLicense | None = None, **overrides: Any
    ) -> None:
        """Add an event one minute after the last one, and the status it gives the purchase."""
        self._minutes += 1
        agreement, license_id = ids or self.ids[-1]
        aws_id, moment = f"event-{self.number}-{len(self.bodies)}", minutes_after_noon(self._minutes)
        if license_id is None:
            body = sns_notification(kind, moment, customer=self._customer, id=aws_id)
        else:
            body = eventbridge_event(kind, moment, agreement=agreement, license=license_id, id=aws_id, **overrides)
        self.bodies[aws_id] = json.dumps(body)
        if new_status and new_status != self.status:
            self.status, self.since = new_status, moment


def create_histories(count: int) -> list[PurchaseHistory]:
    """Return histories of three purchases on new listings to two on old ones; a quarter has a buyer who lands."""
    histories = []
    for number in range(count):
        is_new_listing = number % 5 < 3
        history = PurchaseHistory(number, [(f"agmt-{number}-0", f"l-{number}-0" if is_new_listing else None)])
        if number % 40 == 1:
            _add_other_seller_event(history)
        elif number % 40 == 2:
            _add_agreement_only(history)
        elif is_new_listing:
            _add_new_listing_events(history)
        else:
            _add_old_listing_events(history)
        history.has_buyer = history.is_subscription_expected and _with_probability(0.25)
        histories.append(history)
    return histories


def _add_new_listing_events(history: PurchaseHistory) -> None:
    history.add_event(AGREEMENT_CREATED, status="ACTIVE")
    history.add_event(LICENSE_UPDATED, "active")
    for _ in range(random.choice([0, 0, 1, 1, 2])):  # noqa: S311
        _add_renewal(history, with_new_license=_with_probability(0.6))
    if _with_probability(0.5):
        history.add_event(random.choice(ENDED_BY_PARTY), "ending", status="CANCELLED")  # noqa: S311
        history.add_event(LICENSE_DEPROVISIONED, "ended")


def _add_renewal(history: PurchaseHistory, *, with_new_license: bool) -> None:
    renewed = history.ids[-1]
    suffix = f"{history.number}-{len(history.ids)}"
    history.ids.append((f"agmt-{suffix}", f"l-{suffix}" if with_new_license else renewed[1]))
    for kind in CREATED_BY_PARTY:
        history.add_event(kind, previous=renewed[0])
    history.add_event(LICENSE_UPDATED, "active")
    history.add_event(AGREEMENT_ENDED, ids=renewed, status="RENEWED")
    if with_new_license:
        history.add_event(LICENSE_DEPROVISIONED, ids=renewed)


def _add_old_listing_events(history: PurchaseHistory) -> None:
    if _with_probability(0.2):
        history.add_event("subscribe-fail", "failed")
    for _ in range(random.choice([1, 2, 2, 3])):  # noqa: S311
        history.add_event("subscribe-success", "active")
        history.add_event("unsubscribe-pending", "ending")
        history.add_event("unsubscribe-success", "ended")
    if _with_probability(0.5):
        history.add_event("subscribe-success", "active")


def _add_agreement_only(history: PurchaseHistory) -> None:
    history.add_event(AGREEMENT_CREATED, status="ACTIVE")
    history.outcomes = NO_LICENSE_OUTCOMES


def _add_other_seller_event(history: PurchaseHistory) -> None:
    history.add_event(LICENSE_UPDATED, code="another-sellers-product")
    history.outcomes = OTHER_SELLER_OUTCOMES


def _with_probability(probability: float) -> bool:
    return random.random() < probability  # noqa: S311
