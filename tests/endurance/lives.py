"""Lives of purchases as AWS knows them: the events that tell of each, and the truth that these add up to."""

import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from app.services.purchases.purchase import Arrived
from tests import factories
from tests.events import at, eventbridge, sns

CREATED, ENDED = "Purchase Agreement Created", "Purchase Agreement Ended"
UPDATED, DEPROVISIONED = "License Updated - Manufacturer", "License Deprovisioned - Manufacturer"
PROPOSER, MANUFACTURER = "Proposer", "Manufacturer"
NO_LICENSE = frozenset(["waiting"])
# An agreement and, on new listings, its license.
Names = tuple[str, str | None]
OURS, NOT_OURS = frozenset(["applied", "noted"]), frozenset(["not_ours"])


@dataclass
class Life:
    """One purchase: its names, the first ones first; its events; and where it stands, by the events' own times."""

    number: int
    names: list[Names]
    status: str = "pending"
    since: datetime | None = None
    bodies: dict[str, str] = field(default_factory=dict)
    # What has become of its events in the end; and whether its buyer comes meanwhile.
    outcomes: frozenset[str] = OURS
    lands: bool = False
    _minutes: int = 0

    @property
    def is_known(self) -> bool:
        """Whether there has to be a subscription in the end."""
        return self.outcomes == OURS

    @property
    def summary(self) -> tuple[str, str, str, str]:
        """Return what has to be stored of it: its key, its agreement, its status, and since when."""
        agreement, license_id = self.names[-1]
        key = license_id or f"{factories.CODE}/{self._customer}"
        return key, agreement if license_id else "", self.status, str(self.since)

    @property
    def company(self) -> str:
        """The company that its buyer signs up."""
        return f"Company {self.number}"

    @property
    def _customer(self) -> str:
        return f"customer-{self.number}"

    def arrived(self) -> Arrived:
        """Return its buyer at the door, with any of the names that it ever had."""
        agreement, license_id = random.choice(self.names)  # noqa: S311
        if license_id is None:
            return factories.arrived(customer_identifier=self._customer, license_arn=None, agreement_id=None)
        arn = f"arn:aws:license-manager::294406891311:license:{license_id}"
        return factories.arrived(license_arn=arn, agreement_id=agreement)

    def tell(
        self, kind: str, becomes: str | None = None, names: tuple[str, str | None] | None = None, **about: Any
    ) -> None:
        """Add an event, later than every one before, and what it truly makes of the purchase."""
        self._minutes += 1
        agreement, license_id = names or self.names[-1]
        aws_id, moment = f"event-{self.number}-{len(self.bodies)}", at(self._minutes)
        if license_id is None:
            body = sns(kind, moment, customer=self._customer, id=aws_id)
        else:
            body = eventbridge(kind, moment, agreement=agreement, license=license_id, id=aws_id, **about)
        self.bodies[aws_id] = json.dumps(body)
        if becomes and becomes != self.status:
            self.status, self.since = becomes, moment


def several(count: int) -> list[Life]:
    """Return so many lives, a quarter of them with a buyer who comes."""
    kinds: list[Callable[[Life], None]] = [_new_style, _new_style, _new_style, _old_style, _old_style]
    lives = []
    for number in range(count):
        live = kinds[number % len(kinds)]
        names: Names = (f"agmt-{number}-0", None if live is _old_style else f"l-{number}-0")
        life = Life(number, [names])
        # Some agreements never come to a license, and some licenses are another seller's.
        (_agreed_only if number % 40 == 2 else _another_sellers if number % 40 == 1 else live)(life)
        life.lands = life.is_known and _maybe(0.25)
        lives.append(life)
    return lives


def _new_style(life: Life) -> None:
    life.tell(f"{CREATED} - {PROPOSER}", status="ACTIVE")
    life.tell(UPDATED, "active")
    for _ in range(random.choice([0, 0, 1, 1, 2])):  # noqa: S311
        _renew(life, with_new_license=_maybe(0.6))
    if _maybe(0.5):
        life.tell(f"{ENDED} - {random.choice([PROPOSER, MANUFACTURER])}", "ending", status="CANCELLED")  # noqa: S311
        life.tell(DEPROVISIONED, "ended")


def _renew(life: Life, *, with_new_license: bool) -> None:
    before = life.names[-1]
    turn = len(life.names)
    life.names.append((f"agmt-{life.number}-{turn}", f"l-{life.number}-{turn}" if with_new_license else before[1]))
    for party in (PROPOSER, MANUFACTURER):
        life.tell(f"{CREATED} - {party}", previous=before[0])
    life.tell(UPDATED, "active")
    life.tell(f"{ENDED} - {PROPOSER}", names=before, status="RENEWED")
    if with_new_license:
        life.tell(DEPROVISIONED, names=before)


def _old_style(life: Life) -> None:
    if _maybe(0.2):
        life.tell("subscribe-fail", "failed")
    for _ in range(random.choice([1, 2, 2, 3])):  # noqa: S311
        life.tell("subscribe-success", "active")
        life.tell("unsubscribe-pending", "ending")
        life.tell("unsubscribe-success", "ended")
    if _maybe(0.5):
        life.tell("subscribe-success", "active")


def _agreed_only(life: Life) -> None:
    life.tell(f"{CREATED} - {PROPOSER}", status="ACTIVE")
    life.outcomes = NO_LICENSE


def _another_sellers(life: Life) -> None:
    life.tell(UPDATED, code="another-sellers-product")
    life.outcomes = NOT_OURS


def _maybe(share: float) -> bool:
    return random.random() < share  # noqa: S311
