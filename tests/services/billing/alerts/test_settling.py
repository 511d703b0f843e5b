"""Usage that AWS does not bill: the product gets a hand-off, once, and nothing deadlocks."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from sqlalchemy import text

from app.database.transactions import current_database
from app.services.billing import alerts
from sandbox.faults import Faults
from tests.support.databases import has_waiting_transaction, on_postgresql
from tests.support.metered_product import DIMENSION, MeteredProduct, at
from tests.support.outbox_messages import handoff_messages
from tests.support.unbilled_usage import conflict, refused_handoffs, usage_mails


def test_product_gets_a_handoff_of_the_unbilled_hour(metered: MeteredProduct) -> None:
    purchase = conflict(metered, 10)

    [hour] = metered.hours()
    [payload] = refused_handoffs(metered.app)
    assert hour.state == "conflict"
    assert payload["data"]["usage"] == [
        {
            "id": str(hour.id),
            "hour": "2026-11-28T10:00:00.000Z",
            "license_arn": purchase.license_arn,
            "dimension": DIMENSION,
            "quantity": "1.5",
            "state": "conflict",
            "code": "DuplicateRecord",
            "items": ["used-at-10"],
        }
    ]
    assert payload["data"]["subscription"]["id"] == str(metered.subscription(purchase).id)


def test_handoffs_of_other_events_have_no_usage(metered: MeteredProduct) -> None:
    metered.buy()

    assert [message.type for message in handoff_messages(metered.app)] == ["subscription.activated"]
    assert "usage" not in handoff_messages(metered.app)[0].payload["data"]


def test_refusal_of_the_license_is_mailed_once(metered: MeteredProduct) -> None:
    purchase = metered.buy()
    metered.use(purchase)
    metered.act(purchase, "cancel")
    metered.sandbox.marketplace.faults = Faults(not_subscribed=True)
    metered.set_clock(at("09:55"))
    metered.work_until(at("09:00", day=30), step=timedelta(hours=1))

    assert metered.states() == ["refused"]
    assert [mail.payload["counts"] for mail in usage_mails(metered.app)] == [{"refused": 1}]
    assert len(refused_handoffs(metered.app)) == 1


@on_postgresql
def test_settling_waits_for_a_merge_without_locking_hours(metered: MeteredProduct) -> None:
    purchase = metered.buy()
    metered.set_clock(at("10:20"))
    metered.use(purchase)
    metered.meter_elsewhere(purchase, at("10:00"))
    metered.set_clock(at("11:10"))
    subscription_id = metered.subscription(purchase).id
    engine = current_database().write_engine

    def work() -> None:
        with metered.app.app_context():
            metered.work()

    with ThreadPoolExecutor(1) as threads:
        with engine.begin() as merge:
            merge.execute(text("SELECT id FROM subscriptions FOR NO KEY UPDATE"))
            settling = threads.submit(work)
            while not has_waiting_transaction():
                assert not settling.done()
            # Shorter than the time after which PostgreSQL looks for a deadlock.
            merge.execute(text("SET LOCAL lock_timeout = '300ms'"))
            merge.execute(text("UPDATE usage_hours SET subscription_id = subscription_id"))
        settling.result()

    assert metered.states() == ["conflict"]
    assert [handoff["data"]["subscription"]["id"] for handoff in refused_handoffs(metered.app)] == [
        str(subscription_id)
    ]


def test_expired_hour_is_settled_once_by_two_workers(metered: MeteredProduct) -> None:
    purchase = metered.buy()
    metered.use(purchase)
    metered.set_clock(at("10:00", day=29))
    metered.work()
    [hour] = metered.hours()

    alerts.settle_alone([(hour, "refused", "InvalidTagException")])

    assert metered.states() == ["expired"]
    assert len(refused_handoffs(metered.app)) == 1
