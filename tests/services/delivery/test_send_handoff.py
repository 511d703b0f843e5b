"""Sending hand-offs: what the product receives, in which order, and when a try is repeated."""

from datetime import datetime

import pytest
from flask import Flask
from pydantic import TypeAdapter
from sqlalchemy import select

from app import create_app
from app.config import products
from app.database import transactions
from app.models import Subscription
from app.services.delivery import send_handoff
from app.services.outbox import payload, queue
from tests.support import factories, handoff_receiver
from tests.support.aws_events import LICENSE_DEPROVISIONED, LICENSE_UPDATED, minutes_after_noon
from tests.support.clock import time_passes
from tests.support.databases import on_sqlite
from tests.support.factories import PRODUCT_CODE
from tests.support.handoff_receiver import HandoffReceiver, json_reply
from tests.support.outbox_messages import outbox_messages, receive_license_event, register_customer, send_due_handoffs

SECOND_SECRET = "whsec_YW5vdGhlci1zZWNyZXQtZm9yLXJvdGF0aW9uLS0tLS0="


@pytest.fixture
def environment(environment: pytest.MonkeyPatch, product: HandoffReceiver) -> pytest.MonkeyPatch:
    factories.enable_handoffs(environment, product.url)
    return environment


def test_product_receives_the_whole_signed_registration(app: Flask, product: HandoffReceiver) -> None:
    subscription_id = register_customer(app, company="Juniper & Lark")

    send_due_handoffs(app)

    (delivery,) = product.deliveries
    assert product.unverified_count == 0
    assert (delivery["type"], delivery["version"], delivery["data"]["sequence"]) == ("registration.completed", 1, 1)
    assert delivery["data"]["subscription"]["id"] == str(subscription_id)
    assert delivery["data"]["subscription"]["customer_aws_account_id"] == "012345678901"
    assert delivery["data"]["registration"]["company"] == "Juniper & Lark"
    assert delivery["data"]["account"]["wish"] == "new"
    TypeAdapter(payload.Handoff).validate_python(delivery)


def test_product_without_url_gets_no_handoff(environment: pytest.MonkeyPatch, product: HandoffReceiver) -> None:
    environment.delenv("PRODUCT_HANDOFF_URL")

    with factories.open_app(create_app()) as app:
        register_customer(app)
        assert outbox_messages(app) == []


def test_resubmitted_form_is_a_handoff_only_if_changed(app: Flask, product: HandoffReceiver) -> None:
    register_customer(app)
    register_customer(app)
    register_customer(app, phone=None)

    send_due_handoffs(app)

    assert product.event_types == ["registration.completed", "registration.updated"]


def test_status_changes_are_sent_in_order(app: Flask, product: HandoffReceiver) -> None:
    register_customer(app)
    receive_license_event(app, LICENSE_UPDATED, minutes_after_noon(1))
    receive_license_event(app, LICENSE_UPDATED, minutes_after_noon(2))
    receive_license_event(app, LICENSE_DEPROVISIONED, minutes_after_noon(3))

    send_due_handoffs(app)

    assert product.event_types == ["registration.completed", "subscription.activated", "subscription.ended"]
    assert [delivery["data"]["sequence"] for delivery in product.deliveries] == [1, 2, 3]
    assert product.deliveries[-1]["data"]["subscription"]["status"] == "ended"
    assert product.deliveries[-1]["data"]["registration"]["full_name"] == "Ada Lovelace"


def test_retried_handoff_keeps_its_id_and_delays_later_ones(app: Flask, product: HandoffReceiver) -> None:
    register_customer(app)
    receive_license_event(app, LICENSE_UPDATED, minutes_after_noon(1))
    product.reply = lambda _: json_reply(503)

    assert send_due_handoffs(app) == [False]
    product.reply = lambda _: handoff_receiver.OK_REPLY
    with time_passes(seconds=3):
        assert send_due_handoffs(app) == [True, True]

    assert product.event_types == ["registration.completed", "registration.completed", "subscription.activated"]
    assert product.webhook_ids[0] == product.webhook_ids[1] != product.webhook_ids[2]


def test_claimed_handoff_is_claimed_again_only_after_its_lease(app: Flask) -> None:
    register_customer(app)
    receive_license_event(app, LICENSE_UPDATED, minutes_after_noon(1))

    with app.app_context():
        first = queue.claim(queue.handoff_lane(PRODUCT_CODE))
        with time_passes(seconds=15):
            during_lease = queue.claim(queue.handoff_lane(PRODUCT_CODE))
        with time_passes(seconds=30):
            after_lease = queue.claim(queue.handoff_lane(PRODUCT_CODE))

    assert first
    assert during_lease is None
    assert after_lease
    assert after_lease.id == first.id


def test_retry_after_header_delays_the_next_try(app: Flask, product: HandoffReceiver) -> None:
    register_customer(app)
    product.reply = lambda _: json_reply(503, {"Retry-After": "600"})
    send_due_handoffs(app)

    with time_passes(seconds=590):
        assert send_due_handoffs(app) == []
    with time_passes(seconds=661):
        assert send_due_handoffs(app) == [False]


def test_backoff_grows_to_fifteen_minutes() -> None:
    delays = [send_handoff._retry_delay_seconds(tries, None) for tries in range(1, 40)]

    assert 1 <= delays[0] <= 2
    assert max(delays[12:]) <= 900
    assert min(delays[12:]) >= 450


def test_handoff_fails_after_three_days_and_releases_the_next(app: Flask, product: HandoffReceiver) -> None:
    register_customer(app)
    receive_license_event(app, LICENSE_UPDATED, minutes_after_noon(1))
    product.reply = lambda delivery: json_reply(500 if delivery["type"] == "registration.completed" else 200)
    send_due_handoffs(app)

    with time_passes(days=3, seconds=1):
        send_due_handoffs(app)

    first, second = outbox_messages(app)
    assert (first.outcome, first.fault, first.tries) == ("failed", "500", 2)
    assert second.outcome == "delivered"


def test_first_try_after_days_without_worker_is_retried(app: Flask, product: HandoffReceiver) -> None:
    register_customer(app)
    product.reply = lambda _: json_reply(503)

    with time_passes(days=4):
        assert send_due_handoffs(app) == [False]

    (message,) = outbox_messages(app)
    assert (message.outcome, message.fault, message.tries) == ("waiting", "503", 1)


def test_status_410_fails_the_handoff_at_once(app: Flask, product: HandoffReceiver) -> None:
    register_customer(app)
    product.reply = lambda _: json_reply(410)

    assert send_due_handoffs(app) == [True]

    (message,) = outbox_messages(app)
    assert (message.outcome, message.fault, message.tries) == ("failed", "410", 1)


@pytest.mark.parametrize("status", [301, 302, 307, 400, 404, 429, 500])
@on_sqlite
def test_other_statuses_and_redirects_are_retried(app: Flask, product: HandoffReceiver, status: int) -> None:
    register_customer(app)
    product.reply = lambda _: json_reply(status, {"Location": product.url})

    assert send_due_handoffs(app) == [False]

    (message,) = outbox_messages(app)
    assert (message.outcome, message.fault) == ("waiting", str(status))
    assert len(product.deliveries) == 1


@on_sqlite
def test_private_address_is_refused_by_default(app: Flask, product: HandoffReceiver) -> None:
    register_customer(app)

    with app.app_context():
        endpoint = products.current().handoff_endpoints[PRODUCT_CODE]
        claimed = queue.claim(queue.handoff_lane(PRODUCT_CODE))
        assert claimed
        assert send_handoff.send(endpoint, claimed) is False

    (message,) = outbox_messages(app)
    assert message.fault == "private_address"
    assert product.deliveries == []


@on_sqlite
@pytest.mark.parametrize("secret", [handoff_receiver.SECRET, SECOND_SECRET])
def test_rotated_secrets_both_verify(environment: pytest.MonkeyPatch, product: HandoffReceiver, secret: str) -> None:
    environment.setenv("HANDOFF_SECRET", f"{SECOND_SECRET}, {handoff_receiver.SECRET}")
    product.secret = secret

    with factories.open_app(create_app()) as app:
        register_customer(app)
        send_due_handoffs(app)

    assert (len(product.deliveries), product.unverified_count) == (1, 0)


@on_sqlite
@pytest.mark.parametrize("foyers", [handoff_receiver.SECRET, handoff_receiver.SECRET.removeprefix("whsec_")])
@pytest.mark.parametrize("products", [handoff_receiver.SECRET, handoff_receiver.SECRET.removeprefix("whsec_")])
def test_secret_signs_the_same_with_and_without_its_prefix(
    environment: pytest.MonkeyPatch, product: HandoffReceiver, foyers: str, products: str
) -> None:
    environment.setenv("HANDOFF_SECRET", foyers)
    product.secret = products

    with factories.open_app(create_app()) as app:
        register_customer(app)
        send_due_handoffs(app)

    assert (len(product.deliveries), product.unverified_count) == (1, 0)


def test_subscription_without_registration_is_sent(app: Flask, product: HandoffReceiver) -> None:
    receive_license_event(app, LICENSE_UPDATED, minutes_after_noon(1))

    send_due_handoffs(app)

    (delivery,) = product.deliveries
    assert delivery["type"] == "subscription.activated"
    assert delivery["data"]["registration"] is None


def test_changed_at_moves_with_every_change(app: Flask, product: HandoffReceiver) -> None:
    def changed_at() -> datetime:
        with app.app_context(), transactions.current_database().read_engine.connect() as connection:
            return connection.execute(select(Subscription.changed_at)).scalar_one()

    register_customer(app)
    times = [changed_at()]
    receive_license_event(app, LICENSE_UPDATED, minutes_after_noon(1))
    times.append(changed_at())
    product.reply = lambda _: json_reply(reference="juniper-1")
    send_due_handoffs(app)
    times.append(changed_at())

    assert sorted(set(times)) == times
