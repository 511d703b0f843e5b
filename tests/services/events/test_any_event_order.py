"""Any history of several purchases, its events in any order, doubled and delayed: the state follows AWS's times."""

import math
from typing import Any

from flask import Flask
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test
from sqlalchemy import Row, delete, select, update

from app.database import transactions
from app.models import Event, Registration, Subscription
from app.services.events import apply
from app.services.events import review as events_review
from app.services.purchases import subscriptions
from app.services.purchases.purchase import Resolved
from app.services.signup import registrations
from tests.services.events.true_purchases import ACCOUNT, Purchase
from tests.support import factories
from tests.support.aws_events import eventbridge_event, minutes_after_noon, parse_event, sns_notification
from tests.support.databases import on_sqlite
from tests.support.stored_rows import tables_to_empty

CREATED, ENDED = "Purchase Agreement Created", "Purchase Agreement Ended"
SELECT_SUBSCRIPTIONS = select(Subscription.__table__).order_by(Subscription.id)
UPDATED, DEPROVISIONED = "License Updated - Manufacturer", "License Deprovisioned - Manufacturer"


class Histories(RuleBasedStateMachine):
    """AWS makes events, the queue delays, doubles and shuffles them, and buyers land and sign up at any time."""

    app: Flask

    def __init__(self) -> None:
        super().__init__()
        self.minutes = 0
        self.purchases: list[Purchase] = []
        self.undelivered: list[dict[str, Any]] = []
        self.delivered: list[dict[str, Any]] = []
        self.forms = 0

    @initialize()
    def start(self) -> None:
        with self.app.app_context(), transactions.current_database().write_engine.begin() as connection:
            for table in tables_to_empty():
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
        self.set_status(purchase, "active")

    @precondition(lambda self: self.purchases)
    @rule(which=st.integers(0, 3))
    def fail(self, which: int) -> None:
        purchase = self.chosen(which)
        if purchase.license is None:
            self.send(purchase, "subscribe-fail")
            self.set_status(purchase, "failed")

    @precondition(lambda self: self.purchases)
    @rule(which=st.integers(0, 3), party=st.sampled_from(["Proposer", "Manufacturer"]))
    def cancel(self, which: int, party: str) -> None:
        purchase = self.chosen(which)
        old = purchase.license is None
        self.send(purchase, "unsubscribe-pending" if old else f"{ENDED} - {party}", status="CANCELLED")
        purchase.has_ended = True
        if purchase.status in {"pending", "active"}:
            never_began = purchase.status == "pending" and not old
            self.set_status(purchase, "failed" if never_began else "ending")

    @precondition(lambda self: self.purchases)
    @rule(which=st.integers(0, 3))
    def end(self, which: int) -> None:
        purchase = self.chosen(which)
        self.send(purchase, "unsubscribe-success" if purchase.license is None else DEPROVISIONED)
        purchase.has_ended = True
        self.set_status(purchase, "ended")

    @precondition(lambda self: self.purchases)
    @rule(which=st.integers(0, 3), new_license=st.booleans(), is_marked=st.booleans())
    def renew(self, which: int, new_license: bool, is_marked: bool) -> None:
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
        self.set_status(purchase, "active")
        self.send(purchase, f"{ENDED} - Proposer", names=before, status="RENEWED" if is_marked else "EXPIRED")
        if new_license:
            self.send(purchase, DEPROVISIONED, names=before)

    def chosen(self, which: int) -> Purchase:
        """Return one of the purchases, whatever the number."""
        return self.purchases[which % len(self.purchases)]

    def set_status(self, purchase: Purchase, status: str) -> None:
        """Set the true status, which is so from the latest event on."""
        if purchase.status != status:
            purchase.status, purchase.since = status, minutes_after_noon(self.minutes)

    def send(
        self, purchase: Purchase, kind: str, names: tuple[str, str | None] | None = None, **overrides: Any
    ) -> None:
        """Make an event, later than all before, and leave it undelivered."""
        self.minutes += 1
        purchase.is_stored = purchase.is_stored or not kind.startswith("Purchase Agreement")
        agreement, license_id = names or (purchase.agreement, purchase.license)
        happened_at = minutes_after_noon(self.minutes)
        if license_id is None:
            body = sns_notification(kind, happened_at, customer=purchase.customer)
        else:
            overrides |= {"agreement": agreement, "license": license_id, "account": ACCOUNT}
            body = eventbridge_event(kind, happened_at, **overrides)
        self.undelivered.append(body)

    # What the queue and the buyers do.

    @precondition(lambda self: self.undelivered)
    @rule(which=st.integers(0, 40))
    def deliver(self, which: int) -> None:
        body = self.undelivered.pop(which % len(self.undelivered))
        self.delivered.append(body)
        with self.app.app_context():
            assert apply.ingest(parse_event(body)) is not None

    @precondition(lambda self: self.undelivered)
    @rule(count=st.integers(1, 10))
    def deliver_together(self, count: int) -> None:
        bodies = [*self.undelivered[:count], *self.delivered[:1]]
        self.undelivered = self.undelivered[count:]
        self.delivered += bodies
        with self.app.app_context():
            assert apply.ingest_all([parse_event(body) for body in bodies], math.inf) == len(bodies)

    @precondition(lambda self: self.delivered)
    @rule(which=st.integers(0, 40))
    def deliver_again(self, which: int) -> None:
        with self.app.app_context():
            assert apply.ingest(parse_event(self.delivered[which % len(self.delivered)])) is None

    @precondition(lambda self: self.purchases)
    @rule(which=st.integers(0, 3), token=st.integers(0, 5))
    def land(self, which: int, token: int) -> None:
        purchase = self.chosen(which)
        purchase.landed = purchase.is_stored = True
        with self.app.app_context():
            subscriptions.upsert_from_landing(purchase.landing(self.names(purchase, token)))

    @precondition(lambda self: any(purchase.landed for purchase in self.purchases))
    @rule(which=st.integers(0, 3), token=st.integers(0, 5))
    def sign_up(self, which: int, token: int) -> None:
        purchase = self.chosen(which)
        if purchase.landed:
            self.forms += 1
            purchase.registered = f"Company {self.forms}"
            with self.app.app_context():
                resolved = Resolved(purchase.landing(self.names(purchase, token)))
                registrations.complete(resolved, factories.answers(company=purchase.registered))

    @rule()
    def review(self) -> None:
        with self.app.app_context():
            while events_review.process_next() is not None:
                pass
            with transactions.current_database().write_engine.begin() as connection:
                reviewed = connection.execute(SELECT_SUBSCRIPTIONS).all()
                connection.execute(update(Subscription).values(review_at=minutes_after_noon(0)))
            while events_review.process_next() is not None:
                pass
            with transactions.current_database().read_engine.connect() as connection:
                # No subscription that was not due had anything to review.
                assert connection.execute(SELECT_SUBSCRIPTIONS).all() == reviewed

    def names(self, purchase: Purchase, token: int) -> tuple[str, str | None]:
        """Return the names that AWS resolves a token to: the present ones, or those before a renewal."""
        names = [(purchase.agreement, purchase.license), *purchase.earlier[::-1]]
        return names[token % len(names)]

    def teardown(self) -> None:
        """Deliver the rest, and compare what is stored with what is true."""
        with self.app.app_context():
            for body in self.undelivered:
                apply.ingest(parse_event(body))
        self.review()
        with self.app.app_context(), transactions.current_database().read_engine.connect() as connection:
            rows = connection.execute(SELECT_SUBSCRIPTIONS).all()
            answers = connection.execute(select(Registration.subscription_id, Registration.company)).all()
            outcomes = set(connection.execute(select(Event.outcome)).scalars())
        expected = [purchase for purchase in self.purchases if purchase.is_stored]
        assert sorted(map(summary, rows)) == sorted(purchase.summary for purchase in expected)
        companies = [purchase.registered for purchase in expected if purchase.registered]
        assert sorted(row.company for row in answers) == sorted(companies)
        signed_up = {row.subscription_id: row.company for row in answers}
        assert {summary(row)[0]: signed_up.get(row.id) for row in rows} == {
            purchase.summary[0]: purchase.registered for purchase in expected
        }
        assert outcomes <= {"applied", "noted", "waiting"}


def summary(row: Row[Any]) -> tuple[str, str, str, str]:
    """Return what is stored: key, agreement, status, and since when."""
    return row.purchase_key, row.agreement_id or "", row.status, str(row.status_since)


@on_sqlite
def test_any_order_of_events_ends_in_the_true_state(app: Flask) -> None:
    Histories.app = app
    run_state_machine_as_test(Histories, settings=settings(stateful_step_count=30))
