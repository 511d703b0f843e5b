"""A product whose usage is metered: purchases in the sandbox, usage accepted by Foyer, and hours that are sent.

Its clock is the sandbox's, and stands still until a test moves it. The sandbox's ledger says what AWS has billed.
"""

import dataclasses
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any

from flask import Flask
from sqlalchemy import Row, select

from app.aws import meter_usage
from app.aws.meter_usage import UsageRecord
from app.config import products
from app.config.usage_rules import UsageRules
from app.database import clock as database_clock
from app.database.transactions import current_database
from app.models import Subscription, UsageHour
from app.services.billing import freeze, send, settle, zeros
from app.services.billing.journal import Attempt
from app.services.events import apply
from app.services.metering import accept, clock
from app.services.metering.hour_book import ItemVerdict
from app.services.purchases import aws_event, subscriptions
from app.services.purchases.purchase import Landing
from sandbox.metering import ledger
from sandbox.purchases import Purchase, new_license_arn
from sandbox.server import Sandbox
from tests.support import factories

START = datetime(2026, 11, 28, 9, 30, tzinfo=UTC)
DIMENSION = "gb_processed"


def at(text: str, day: int = 28, month: int = 11) -> datetime:
    """Return a time of day as in "10:40" or "10:40:30", on 28 November 2026 or another day of the year."""
    return datetime.fromisoformat(f"2026-{month:02d}-{day:02d}T{text}Z")


class MeteredProduct:
    """The seller of the sandbox's products, at the sandbox's time."""

    def __init__(self, app: Flask, sandbox: Sandbox) -> None:
        self.app, self.sandbox = app, sandbox
        self._event_ids: set[str] = set()
        self._numbers = count(1)
        self.pauses = send.Pauses()
        self.zeros = zeros.Zeros()
        # The accepted items by id, but for those that are held.
        self.accepted: dict[str, dict[str, Any]] = {}
        self._customers: dict[str, str] = {}

    def set_rules(self, code: str = factories.PRODUCT_CODE, **rules: Any) -> None:
        """Meter a product by these rules; one that is not configured yet is from now on."""
        product = products.current().get(code) or products.current()[factories.PRODUCT_CODE]
        products.current()[code] = dataclasses.replace(product, code=code, usage=UsageRules(**rules))

    def set_clock(self, moment: datetime) -> None:
        self.sandbox.clock.set(moment, stopped=True)

    def advance(self, **duration: float) -> datetime:
        return self.sandbox.clock.advance(timedelta(**duration))

    @property
    def now(self) -> datetime:
        return self.sandbox.clock.now()

    def buy(self, *, actions: str = "confirm", **order: Any) -> Purchase:
        """Buy in the sandbox, apply the actions, and let Foyer have the events."""
        purchase = self.sandbox.marketplace.buy(factories.order(**order))
        return self.act(purchase, actions)

    def act(self, purchase: Purchase, actions: str, *, with_events: bool = True) -> Purchase:
        """Apply the actions to the purchase, and let Foyer have the events."""
        for action in actions.split():
            self.sandbox.marketplace.apply_action(purchase, action)
        if with_events:
            self.deliver_events()
        return self.sandbox.marketplace.get_purchase(purchase.id)

    def deliver_events(self, *kinds: str, reverse: bool = False) -> None:
        """Let Foyer have the events that it has not had yet: of those kinds, or all."""
        events = [event for event in self.sandbox.marketplace.events() if event.id not in self._event_ids]
        for event in sorted(events, key=lambda one: one.happened_at, reverse=reverse):
            if not kinds or event.kind.startswith(kinds):
                self._event_ids.add(event.id)
                apply.ingest(aws_event.parse_body(event.body, event.id, event.happened_at))

    def grant_license(self, purchase: Purchase) -> Purchase:
        """Give a purchase of an old listing a license, as AWS does when the listing gets them."""
        licenses = self.sandbox.marketplace.usage.licenses
        arn = new_license_arn()
        [stored] = licenses.of_purchase(purchase.id)
        licenses._stored.append(granted := stored.model_copy(update={"license_arn": arn}))
        licenses._index(granted)
        return purchase.model_copy(update={"license_arn": arn})

    def land(self, purchase: Purchase, **names: Any) -> None:
        """Let the buyer land."""
        customer = factories.customer(
            **{
                "product_code": purchase.product_code,
                "customer_aws_account_id": purchase.account_id,
                "customer_identifier": purchase.customer_identifier,
                "license_arn": purchase.license_arn,
                "agreement_id": purchase.agreement_id,
                **names,
            }
        )
        subscriptions.upsert_from_landing(Landing(customer))

    def subscription(self, purchase: Purchase) -> Row[Any]:
        """Return Foyer's row of the purchase."""
        names = [purchase.customer_identifier, purchase.license_arn]
        table = Subscription.__table__
        is_same = (table.c.customer_identifier == names[0]) if names[0] else (table.c.license_arn == names[1])
        with current_database().read_engine.begin() as connection:
            return connection.execute(select(table).where(is_same)).one()

    def item(self, purchase: Purchase, quantity: str = "1.5", **values: Any) -> dict[str, Any]:
        """Return an item of usage that happened now."""
        name = purchase.license_arn or str(self.subscription(purchase).id)
        self._customers[name] = purchase.license_arn or purchase.customer_identifier or ""
        item = {
            "id": f"item-{next(self._numbers)}",
            "subscription": name,
            "dimension": DIMENSION,
            "quantity": quantity,
            "at": self.now,
            **values,
        }
        return item | {"at": item["at"].isoformat() if isinstance(item["at"], datetime) else item["at"]}

    def accept(self, *items: dict[str, Any]) -> list[ItemVerdict]:
        verdicts = accept.accept(list(items), None)
        for item, verdict in zip(items, verdicts, strict=True):
            if verdict.verdict == "accepted" and not (verdict.detail or "").startswith("Held"):
                self.accepted.setdefault(item["id"], item)
        return verdicts

    def use(self, purchase: Purchase, quantity: str = "1.5", **values: Any) -> dict[str, Any]:
        """Send an item, which is accepted, and return it."""
        item = self.item(purchase, quantity, **values)
        [verdict] = self.accept(item)
        assert verdict.verdict == "accepted", verdict
        return item

    def freeze(self) -> None:
        while freeze.freeze_due():
            pass

    def work(self) -> None:
        """Freeze and send what is due, as a worker does; what fails is due again later."""
        self.freeze()
        while self.zeros.make_next():
            pass
        while send.send_next(self.pauses):
            pass

    def settle(self, attempt: Attempt) -> None:
        """Make a call that was claimed, and settle it."""
        settle.settle_answer(attempt, meter_usage.call(attempt.parameters))

    def meter_elsewhere(self, purchase: Purchase, used_at: datetime, quantity: str = "99") -> None:
        """Meter usage as another system of the seller's would."""
        record = UsageRecord(used_at, DIMENSION, quantity, purchase.license_arn, purchase.account_id, None)
        [result] = meter_usage.call(meter_usage.build_parameters(None, [record])).values()
        assert result.status == "Success"

    def work_at(self, moment: datetime) -> None:
        """Let the worker do what is due then, and nothing in between."""
        self.set_clock(moment)
        self.work()

    def work_until(self, moment: datetime, step: timedelta = timedelta(minutes=30)) -> None:
        """Let the time go on, and the worker do what is due on its way: at once, and every half hour."""
        while self.now < moment:
            times = [due for hour in self.hours() if (due := hour.due_at) and due > self.now]
            self.set_clock(min([self.now + step, moment, *times]))
            self.work()

    def hours(self) -> list[Row[Any]]:
        """Return Foyer's hours, oldest first."""
        with current_database().read_engine.begin() as connection:
            return list(connection.execute(select(UsageHour.__table__).order_by(UsageHour.hour, UsageHour.id)))

    def states(self) -> list[str]:
        return [hour.state for hour in self.hours()]

    def billed(self) -> dict[tuple[str, str, str], Decimal]:
        """Return what AWS has billed, by license or customer, month and dimension."""
        return dict(self.sandbox.marketplace.usage.ledger.totals())

    def expected(self) -> dict[tuple[str, str, str], Decimal]:
        """Return the sums of the accepted items, by license or customer, month and dimension."""
        sums: defaultdict[tuple[str, str, str], Decimal] = defaultdict(Decimal)
        for item in self.accepted.values():
            month = datetime.fromisoformat(item["at"]).astimezone(UTC).strftime("%Y-%m")
            sums[self._customers[item["subscription"]], month, item["dimension"]] += Decimal(item["quantity"])
        return dict(sums)

    def assert_all_billed(self) -> None:
        """Assert that AWS has billed what was accepted, that no hour is billed twice, and that Foyer says so."""
        assert self.billed() == self.expected()
        assert not self.billed_twice()
        assert set(self.states()) == {"billed"}

    def billed_twice(self) -> set[str]:
        """Return the records of hours that AWS has billed again, in another form."""
        return ledger.find_billed_twice(self.records())

    def records(self) -> list[Any]:
        return list(self.sandbox.marketplace.usage.ledger.records)

    def calls(self) -> list[Any]:
        return list(self.sandbox.marketplace.usage.calls)


@contextmanager
def open_product(app: Flask, sandbox: Sandbox) -> Iterator[MeteredProduct]:
    """Give the block a metered product whose clock stands at `START`."""
    product = MeteredProduct(app, sandbox)
    product.set_clock(START)
    clock.set_source(sandbox.clock.now)
    try:
        with app.app_context():
            yield product
    finally:
        clock.set_source(database_clock.now)
        sandbox.clock.reset()
