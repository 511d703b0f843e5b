"""Any history of usage, AWS's faults, killed workers and events: what is accepted is billed once, or says why not."""

from collections import defaultdict
from contextlib import suppress
from datetime import timedelta
from decimal import Decimal
from typing import Any

from flask import Flask
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test
from sqlalchemy import delete, select

from app.aws import meter_usage
from app.database import transactions
from app.errors import FoyerError
from app.models import UsageHour, UsageItem
from app.services.billing import journal
from app.services.billing.journal import Attempt
from app.services.metering import quantity
from sandbox.faults import Faults
from sandbox.purchases import Purchase
from sandbox.server import Sandbox
from tests.support import metered_product
from tests.support.databases import on_sqlite
from tests.support.stored_rows import tables_to_empty

MAX_PURCHASES = 3
# They say that an hour is not billed, and the seller is told so.
NAMED_STATES = {"conflict", "refused", "expired"}


class Histories(RuleBasedStateMachine):
    """Buyers buy and leave, the product meters, workers die, AWS fails, and the time goes on."""

    app: Flask
    sandbox: Sandbox

    @initialize(repeat_is_duplicate=st.booleans(), whole=st.booleans(), late=st.sampled_from(["next-hour", "hold"]))
    def start(self, repeat_is_duplicate: bool, whole: bool, late: str) -> None:
        self.sandbox.reset()
        self.opened = metered_product.open_product(self.app, self.sandbox)
        self.metered = self.opened.__enter__()
        with transactions.current_database().write_engine.begin() as connection:
            for table in tables_to_empty():
                connection.execute(delete(table))
        self.is_whole = whole
        self.metered.set_rules(unit="whole" if whole else "decimal", late_usage=late)
        self.sandbox.marketplace.faults = Faults(repeat_is_duplicate=repeat_is_duplicate)
        self.purchases: list[Purchase] = []
        self.sent: list[dict[str, Any]] = []
        self.dead: list[Attempt] = []

    # What buyers and AWS do.

    @precondition(lambda self: len(self.purchases) < MAX_PURCHASES)
    @rule(old=st.booleans())
    def buy(self, old: bool) -> None:
        self.purchases.append(self.metered.buy(style="old" if old else "new"))

    @precondition(lambda self: self.purchases)
    @rule(which=st.integers(0, 2), action=st.sampled_from(["renew", "cancel", "expire"]), new_license=st.booleans())
    def act(self, which: int, action: str, new_license: bool) -> None:
        place = which % len(self.purchases)
        purchase, market = self.purchases[place], self.sandbox.marketplace
        is_possible = {"renew": ("active",), "cancel": ("active",), "expire": ("active", "ending")}[action]
        if purchase.status in is_possible and not (action == "renew" and purchase.style == "old"):
            options = {"new_license": new_license} if action == "renew" else {}
            market.apply_action(purchase, action, **options)
            self.purchases[place] = market.get_purchase(purchase.id)

    @rule(reverse=st.booleans())
    def deliver(self, reverse: bool) -> None:
        self.metered.deliver_events(reverse=reverse)

    @rule(
        fault=st.sampled_from(
            [
                {"lost_answers": 1},
                {"unprocessed_records": 1},
                {"unprocessed_calls": 1},
                {"metering_throttled": 2},
                {"metering_errors": 1},
                {"access_denied": True},
                {"not_subscribed": True},
                {"access_denied": False, "not_subscribed": False},
            ]
        )
    )
    def fail(self, fault: dict[str, Any]) -> None:
        self.sandbox.marketplace.change_faults(**fault)

    @rule(minutes=st.sampled_from([1, 3, 10, 25, 50, 70, 300, 1500]))
    def wait(self, minutes: int) -> None:
        self.metered.advance(minutes=minutes)

    # What the product does.

    @precondition(lambda self: self.purchases)
    @rule(
        which=st.integers(0, 2),
        dimension=st.sampled_from(["gb_processed", "api_calls"]),
        used=st.sampled_from(["0", "0.3", "1", "2.5", "1000000.000001"]),
        minutes_ago=st.sampled_from([0, 5, 40, 90, 1300]),
        tag=st.sampled_from(["", "a", "b"]),
    )
    def use(self, which: int, dimension: str, used: str, minutes_ago: int, tag: str) -> None:
        purchase = self.purchases[which % len(self.purchases)]
        at = max(self.metered.now - timedelta(minutes=minutes_ago), purchase.bought_at)
        tags = {"tags": {"team": tag}} if tag else {}
        self.sent.append(self.metered.item(purchase, used, dimension=dimension, at=at, **tags))
        self.metered.accept(self.sent[-1])

    @precondition(lambda self: self.sent)
    @rule(which=st.integers(0, 50))
    def send_again(self, which: int) -> None:
        self.metered.accept(self.sent[which % len(self.sent)])

    # What workers do.

    @rule()
    def work(self) -> None:
        self.metered.work()

    @rule(is_booked=st.booleans())
    def die_during_a_call(self, is_booked: bool) -> None:
        self.metered.freeze()
        attempt = journal.claim_next()
        if attempt and attempt.hours:
            self.dead.append(attempt)
            if is_booked:
                with suppress(FoyerError):
                    meter_usage.call(attempt.parameters)

    @precondition(lambda self: self.dead)
    @rule()
    def settle_long_after_the_lease(self) -> None:
        attempt = self.dead.pop(0)
        with suppress(FoyerError):
            self.metered.settle(attempt)

    def teardown(self) -> None:
        """Let AWS answer again and the time go on, and compare its ledger with the accepted items."""
        if not hasattr(self, "metered"):
            return
        try:
            self.metered.deliver_events()
            self.sandbox.marketplace.faults = Faults(
                repeat_is_duplicate=self.sandbox.marketplace.faults.repeat_is_duplicate
            )
            self.metered.work()
            self.metered.work_until(self.metered.now + timedelta(hours=3))
            self._compare()
        finally:
            self.opened.__exit__(None, None, None)

    def _compare(self) -> None:
        with transactions.current_database().read_engine.connect() as connection:
            hours = {row.id: row for row in connection.execute(select(UsageHour.__table__))}
            items = connection.execute(select(UsageItem.__table__)).all()
        assert {item.item_id for item in items} >= self.metered.accepted.keys()
        assert {hour.state for hour in hours.values()} <= {"billed", *NAMED_STATES}
        assert not self.metered.billed_twice()
        # Each item is in one hour, or held; and each hour is billed with the sum of its items.
        sums: dict[Any, int] = defaultdict(int)
        for item in items:
            if item.hour_id:
                sums[item.hour_id] += quantity.join(item.micros, item.picos)
                assert hours[item.hour_id].hour.month == item.used_at.month
        assert {id_: quantity.join(hour.micros, hour.picos) for id_, hour in hours.items()} == dict(sums)
        records = {record.metering_record_id: record for record in self.metered.records()}
        unknown = len(records)
        for hour in hours.values():
            if hour.state == "billed" and hour.metering_record_id in records:
                assert records[hour.metering_record_id].quantity == Decimal(quantity.micros_to_text(hour.quantity))
                unknown -= 1
        # AWS does not say which record is billed where it answers with a duplicate.
        by_name = self._billed_by_foyer(hours.values())
        for key, billed in self.metered.billed().items():
            lost = sum(hour.code == "AnswerLost" for hour in hours.values())
            assert billed == by_name.get(key, 0) or lost, key
        for key, counted in by_name.items():
            assert self.metered.billed().get(key, 0) == counted, key
        self._compare_units(hours, sums)
        assert unknown >= 0

    def _billed_by_foyer(self, hours: Any) -> dict[tuple[str, str, str], Decimal]:
        billed: dict[tuple[str, str, str], Decimal] = defaultdict(Decimal)
        for hour in hours:
            if hour.state == "billed":
                name = hour.license_arn or hour.customer_identifier
                billed[name, hour.hour.strftime("%Y-%m"), hour.dimension] += Decimal(
                    quantity.micros_to_text(hour.quantity)
                )
        return billed

    def _compare_units(self, hours: Any, sums: Any) -> None:
        """Of whole units, less than one is left or was rounded up; of decimals, nothing."""
        left: dict[tuple[str, str], int] = defaultdict(int)
        for id_, hour in hours.items():
            left[hour.meter_key, hour.dimension] += sums[id_] - quantity.join(hour.quantity, 0)
        limit = quantity.PICOS_PER_UNIT if self.is_whole else 1
        assert all(-limit < rest < limit for rest in left.values()), left


@on_sqlite
def test_any_usage_is_billed_once_or_says_why_not(app: Flask, sandbox: Sandbox) -> None:
    Histories.app, Histories.sandbox = app, sandbox
    run_state_machine_as_test(Histories, settings=settings(stateful_step_count=20))
