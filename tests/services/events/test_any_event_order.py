"""Any life of several agreements, told in any order, doubled and delayed: the end is what the events' own times say."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from flask import Flask
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test
from sqlalchemy import Row, delete, select

from app.database import engine
from app.models import Base, Event, Registration, Subscription
from app.services.events import apply
from app.services.events import review as events_review
from app.services.purchases import subscriptions
from app.services.purchases.purchase import Landing, Resolved
from app.services.signup import registrations
from tests.support import factories
from tests.support.aws_events import eventbridge_event, minutes_after_noon, parse_event, sns_notification
from tests.support.databases import on_sqlite

ACCOUNT = "012345678901"
CREATED, ENDED = "Purchase Agreement Created", "Purchase Agreement Ended"
UPDATED, DEPROVISIONED = "License Updated - Manufacturer", "License Deprovisioned - Manufacturer"


@dataclass
class Purchase:
    """One purchase as AWS knows it: its names, every one it ever had, and the truth about it."""

    number: int
    agreement: str
    license: str | None
    truth: str = "pending"
    since: datetime | None = None
    earlier: list[tuple[str, str | None]] = field(default_factory=list)
    # Its present agreement has ended once: AWS renews no such agreement.
    has_ended: bool = False
    known: bool = False
    landed: bool = False
    registered: str | None = None

    def arrival(self, names: tuple[str, str | None]) -> Landing:
        """Return the buyer at the door, as AWS resolves their token under these names."""
        agreement, license_id = names
        if license_id is None:
            return factories.landing(
                customer_aws_account_id=ACCOUNT, customer_identifier=self.customer, license_arn=None, agreement_id=None
            )
        arn = f"arn:aws:license-manager::294406891311:license:{license_id}"
        return factories.landing(customer_aws_account_id=ACCOUNT, license_arn=arn, agreement_id=agreement)

    @property
    def summary(self) -> tuple[str, str, str, str]:
        """Return what has to be stored of it in the end."""
        key = self.license or f"{factories.PRODUCT_CODE}/{self.customer}"
        return key, self.agreement if self.license else "", self.truth, str(self.since)

    @property
    def customer(self) -> str:
        """The customer identifier, on an old listing: each purchase there is another customer's."""
        return f"customer-{self.number}"


class Lives(RuleBasedStateMachine):
    """AWS makes events, the queue delays, doubles and shuffles them, and buyers come whenever they like."""

    app: Flask

    def __init__(self) -> None:
        super().__init__()
        self.minutes = 0
        self.purchases: list[Purchase] = []
        self.under_way: list[dict[str, Any]] = []
        self.delivered: list[dict[str, Any]] = []
        self.forms = 0

    @initialize()
    def start(self) -> None:
        with self.app.app_context(), engine.current_database().write_engine.begin() as connection:
            for table in reversed(Base.metadata.sorted_tables):
                connection.execute(delete(table))

    # What AWS does.

    @precondition(lambda self: len(self.purchases) < 3)
    @rule(old=st.booleans())
    def buy(self, old: bool) -> None:
        number = len(self.purchases)
        self.purchases.append(Purchase(number, f"agmt-{number}-0", None if old else f"l-{number}-0"))
        if not old:
            self.send(self.purchases[-1], f"{CREATED} - Proposer", status="ACTIVE")

    @precondition(lambda self: self.purchases)
    @rule(which=st.integers(0, 3))
    def confirm(self, which: int) -> None:
        purchase = self.chosen(which)
        self.send(purchase, "subscribe-success" if purchase.license is None else UPDATED)
        self.becomes(purchase, "active")

    @precondition(lambda self: self.purchases)
    @rule(which=st.integers(0, 3))
    def fail(self, which: int) -> None:
        purchase = self.chosen(which)
        if purchase.license is None:
            self.send(purchase, "subscribe-fail")
            self.becomes(purchase, "failed")

    @precondition(lambda self: self.purchases)
    @rule(which=st.integers(0, 3), party=st.sampled_from(["Proposer", "Manufacturer"]))
    def cancel(self, which: int, party: str) -> None:
        purchase = self.chosen(which)
        old = purchase.license is None
        self.send(purchase, "unsubscribe-pending" if old else f"{ENDED} - {party}", status="CANCELLED")
        purchase.has_ended = True
        if purchase.truth in {"pending", "active"}:
            never_began = purchase.truth == "pending" and not old
            self.becomes(purchase, "failed" if never_began else "ending")

    @precondition(lambda self: self.purchases)
    @rule(which=st.integers(0, 3))
    def end(self, which: int) -> None:
        purchase = self.chosen(which)
        self.send(purchase, "unsubscribe-success" if purchase.license is None else DEPROVISIONED)
        purchase.has_ended = True
        self.becomes(purchase, "ended")

    @precondition(lambda self: self.purchases)
    @rule(which=st.integers(0, 3), new_license=st.booleans(), says_so=st.booleans())
    def renew(self, which: int, new_license: bool, says_so: bool) -> None:
        purchase = self.chosen(which)
        if purchase.license is None or purchase.has_ended:
            return
        before = (purchase.agreement, purchase.license)
        purchase.earlier.append(before)
        purchase.agreement = f"agmt-{purchase.number}-{len(purchase.earlier)}"
        if new_license:
            purchase.license = f"l-{purchase.number}-{len(purchase.earlier)}"
        self.send(purchase, f"{CREATED} - Proposer", previous=before[0])
        self.send(purchase, UPDATED)
        self.becomes(purchase, "active")
        self.send(purchase, f"{ENDED} - Proposer", names=before, status="RENEWED" if says_so else "EXPIRED")
        if new_license:
            self.send(purchase, DEPROVISIONED, names=before)

    def chosen(self, which: int) -> Purchase:
        """Return one of the purchases."""
        return self.purchases[which % len(self.purchases)]

    def becomes(self, purchase: Purchase, truth: str) -> None:
        """Write down what AWS knows to be so, and since when."""
        if purchase.truth != truth:
            purchase.truth, purchase.since = truth, minutes_after_noon(self.minutes)

    def send(self, purchase: Purchase, kind: str, names: tuple[str, str | None] | None = None, **about: Any) -> None:
        """Let an event set out; its time is later than that of every one before."""
        self.minutes += 1
        purchase.known = purchase.known or not kind.startswith("Purchase Agreement")
        agreement, license_id = names or (purchase.agreement, purchase.license)
        if license_id is None:
            self.under_way.append(sns_notification(kind, minutes_after_noon(self.minutes), customer=purchase.customer))
        else:
            self.under_way.append(
                eventbridge_event(
                    kind,
                    minutes_after_noon(self.minutes),
                    agreement=agreement,
                    license=license_id,
                    account=ACCOUNT,
                    **about,
                )
            )

    # What the queue and the buyers do.

    @precondition(lambda self: self.under_way)
    @rule(which=st.integers(0, 40))
    def deliver(self, which: int) -> None:
        body = self.under_way.pop(which % len(self.under_way))
        self.delivered.append(body)
        with self.app.app_context():
            assert apply.ingest(parse_event(body)) is not None

    @precondition(lambda self: self.delivered)
    @rule(which=st.integers(0, 40))
    def deliver_again(self, which: int) -> None:
        with self.app.app_context():
            assert apply.ingest(parse_event(self.delivered[which % len(self.delivered)])) is None

    @precondition(lambda self: self.purchases)
    @rule(which=st.integers(0, 3), token=st.integers(0, 5))
    def land(self, which: int, token: int) -> None:
        purchase = self.chosen(which)
        purchase.landed = purchase.known = True
        with self.app.app_context():
            subscriptions.upsert_from_landing(purchase.arrival(self.names(purchase, token)))

    @precondition(lambda self: any(purchase.landed for purchase in self.purchases))
    @rule(which=st.integers(0, 3), token=st.integers(0, 5))
    def sign_up(self, which: int, token: int) -> None:
        purchase = self.chosen(which)
        if purchase.landed:
            self.forms += 1
            purchase.registered = f"Company {self.forms}"
            with self.app.app_context():
                arrived = Resolved(purchase.arrival(self.names(purchase, token)))
                registrations.complete(arrived, factories.answers(company=purchase.registered))

    @rule()
    def review(self) -> None:
        with self.app.app_context():
            while events_review.process_next() is not None:
                pass

    def names(self, purchase: Purchase, token: int) -> tuple[str, str | None]:
        """Return the names under which AWS resolves a token: maybe those from before a renewal."""
        every = [(purchase.agreement, purchase.license), *purchase.earlier[::-1]]
        return every[token % len(every)]

    def teardown(self) -> None:
        """Let everything arrive at last, and compare what is stored with the truth."""
        with self.app.app_context():
            for body in self.under_way:
                apply.ingest(parse_event(body))
            while events_review.process_next() is not None:
                pass
            with engine.current_database().read_engine.connect() as connection:
                found = connection.execute(select(Subscription.__table__)).all()
                kept = connection.execute(select(Registration.subscription_id, Registration.company)).all()
                outcomes = set(connection.execute(select(Event.outcome)).scalars())
        known = [purchase for purchase in self.purchases if purchase.known]
        assert sorted(map(summary, found)) == sorted(purchase.summary for purchase in known)
        assert sorted(row.company for row in kept) == sorted(filter(None, (purchase.registered for purchase in known)))
        signed_up = {row.subscription_id: row.company for row in kept}
        assert {summary(row)[0]: signed_up.get(row.id) for row in found} == {
            purchase.summary[0]: purchase.registered for purchase in known
        }
        assert outcomes <= {"applied", "noted", "waiting"}


def summary(row: Row[Any]) -> tuple[str, str, str, str]:
    """Return what is stored of a purchase: its key, its agreement, its status, and since when that is so."""
    return row.purchase_key, row.agreement_id or "", row.status, str(row.status_since)


@on_sqlite
def test_the_end_is_what_the_events_own_times_say(app: Flask) -> None:
    Lives.app = app
    run_state_machine_as_test(Lives, settings=settings(stateful_step_count=30))
