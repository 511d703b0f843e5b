"""Hand-offs: what the product gets, in which order, how often it is tried, and what its answer does."""

from datetime import UTC, datetime

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from app import create_app
from app.config import handoff_endpoints
from app.database import engine
from app.models import Account, Subscription
from app.services.delivery import send_handoff
from app.services.outbox import payload, queue
from tests.support import factories, handoff_receiver
from tests.support.aws_events import minutes_after_noon
from tests.support.databases import on_sqlite
from tests.support.factories import PRODUCT_CODE
from tests.support.handoff_receiver import HandoffReceiver, json_reply
from tests.support.outbox_messages import (
    LICENSE_DEPROVISIONED,
    LICENSE_UPDATED,
    outbox_messages,
    receive_license_event,
    register_customer,
    send_due_handoffs,
    time_passes,
)

SECOND_SECRET = "whsec_YW5vdGhlci1zZWNyZXQtZm9yLXJvdGF0aW9uLS0tLS0="


@pytest.fixture
def environment(environment: pytest.MonkeyPatch, product: HandoffReceiver) -> pytest.MonkeyPatch:
    factories.enable_handoffs(environment, product.url)
    return environment


def account(app: Flask) -> Account | None:
    with app.app_context(), Session(engine.current_database().read_engine) as session:
        return session.scalar(select(Account))


def test_the_product_gets_the_whole_registration(app: Flask, product: HandoffReceiver) -> None:
    subscription_id = register_customer(app, company="Juniper & Lark")

    send_due_handoffs(app)

    (delivery,) = product.deliveries
    assert product.unverified_count == 0
    assert (delivery["type"], delivery["version"], delivery["data"]["sequence"]) == ("registration.completed", 1, 1)
    assert delivery["data"]["subscription"]["id"] == str(subscription_id)
    assert delivery["data"]["subscription"]["customer_aws_account_id"] == "012345678901"
    assert delivery["data"]["registration"]["company"] == "Juniper & Lark"
    assert delivery["data"]["account"]["wish"] == "new"
    payload.Handoff.model_validate(delivery)


def test_nothing_is_promised_for_a_product_without_an_address(
    environment: pytest.MonkeyPatch, product: HandoffReceiver
) -> None:
    environment.delenv("PRODUCT_HANDOFF_URL")

    with factories.open_app(create_app()) as app:
        register_customer(app)
        assert outbox_messages(app) == []


def test_the_same_form_twice_is_one_hand_off_and_a_changed_one_another(app: Flask, product: HandoffReceiver) -> None:
    register_customer(app)
    register_customer(app)
    register_customer(app, phone=None)

    send_due_handoffs(app)

    assert product.event_types == ["registration.completed", "registration.updated"]


def test_every_change_of_the_status_is_told_in_order(app: Flask, product: HandoffReceiver) -> None:
    register_customer(app)
    receive_license_event(app, LICENSE_UPDATED, minutes_after_noon(1))
    receive_license_event(app, LICENSE_UPDATED, minutes_after_noon(2))
    receive_license_event(app, LICENSE_DEPROVISIONED, minutes_after_noon(3))

    send_due_handoffs(app)

    assert product.event_types == ["registration.completed", "subscription.activated", "subscription.ended"]
    assert [delivery["data"]["sequence"] for delivery in product.deliveries] == [1, 2, 3]
    assert product.deliveries[-1]["data"]["subscription"]["status"] == "ended"
    assert product.deliveries[-1]["data"]["registration"]["full_name"] == "Ada Lovelace"


def test_what_comes_after_waits_for_what_the_product_has_not_taken(app: Flask, product: HandoffReceiver) -> None:
    register_customer(app)
    receive_license_event(app, LICENSE_UPDATED, minutes_after_noon(1))
    product.reply = lambda _: json_reply(503)

    assert send_due_handoffs(app) == [False]
    product.reply = lambda _: handoff_receiver.OK_REPLY
    with time_passes(seconds=3):
        assert send_due_handoffs(app) == [True, True]

    assert product.event_types == ["registration.completed", "registration.completed", "subscription.activated"]
    assert product.webhook_ids[0] == product.webhook_ids[1] != product.webhook_ids[2]


def test_a_claimed_hand_off_is_nobody_elses_until_its_lease_ends(app: Flask) -> None:
    register_customer(app)
    receive_license_event(app, LICENSE_UPDATED, minutes_after_noon(1))
    now = datetime.now(UTC)

    with app.app_context():
        first = queue.claim(queue.handoff_lane(PRODUCT_CODE), now)
        meanwhile = queue.claim(queue.handoff_lane(PRODUCT_CODE), now + queue.LEASE / 2)
        afterwards = queue.claim(queue.handoff_lane(PRODUCT_CODE), now + queue.LEASE)

    assert first
    assert meanwhile is None
    assert afterwards
    assert afterwards.id == first.id


def test_retry_after_is_honoured(app: Flask, product: HandoffReceiver) -> None:
    register_customer(app)
    product.reply = lambda _: json_reply(503, {"Retry-After": "600"})
    send_due_handoffs(app)

    with time_passes(seconds=590):
        assert send_due_handoffs(app) == []
    with time_passes(seconds=661):
        assert send_due_handoffs(app) == [False]


def test_pauses_grow_and_end_at_a_quarter_of_an_hour() -> None:
    pauses = [send_handoff._retry_delay_seconds(tries, None) for tries in range(1, 40)]

    assert 1 <= pauses[0] <= 2
    assert max(pauses[12:]) <= 900
    assert min(pauses[12:]) >= 450


def test_after_three_days_it_is_kept_as_failed_and_the_next_goes_out(app: Flask, product: HandoffReceiver) -> None:
    register_customer(app)
    receive_license_event(app, LICENSE_UPDATED, minutes_after_noon(1))
    product.reply = lambda delivery: json_reply(500 if delivery["type"] == "registration.completed" else 200)
    send_due_handoffs(app)

    with time_passes(days=3, seconds=1):
        send_due_handoffs(app)

    first, second = outbox_messages(app)
    assert (first.outcome, first.fault, first.tries) == ("failed", "500", 2)
    assert second.outcome == "delivered"


def test_a_worker_that_was_away_for_days_gives_nothing_up_at_the_first_try(
    app: Flask, product: HandoffReceiver
) -> None:
    register_customer(app)
    product.reply = lambda _: json_reply(503)

    with time_passes(days=4):
        assert send_due_handoffs(app) == [False]

    (message,) = outbox_messages(app)
    assert (message.outcome, message.fault, message.tries) == ("waiting", "503", 1)


def test_gone_stops_at_once(app: Flask, product: HandoffReceiver) -> None:
    register_customer(app)
    product.reply = lambda _: json_reply(410)

    assert send_due_handoffs(app) == [True]

    (message,) = outbox_messages(app)
    assert (message.outcome, message.fault, message.tries) == ("failed", "410", 1)


@pytest.mark.parametrize("status", [301, 302, 307, 400, 404, 429, 500])
@on_sqlite
def test_anything_but_2xx_comes_again(app: Flask, product: HandoffReceiver, status: int) -> None:
    register_customer(app)
    product.reply = lambda _: json_reply(status, {"Location": product.url})

    assert send_due_handoffs(app) == [False]

    (message,) = outbox_messages(app)
    assert (message.outcome, message.fault) == ("waiting", str(status))
    assert len(product.deliveries) == 1


@on_sqlite
def test_a_private_address_is_refused_unless_the_setting_allows_it(app: Flask, product: HandoffReceiver) -> None:
    register_customer(app)

    with app.app_context():
        to, claimed = (
            handoff_endpoints.for_product(PRODUCT_CODE),
            queue.claim(queue.handoff_lane(PRODUCT_CODE), datetime.now(UTC)),
        )
        assert to
        assert claimed
        assert send_handoff.send(to, claimed) is False

    (message,) = outbox_messages(app)
    assert message.fault == "private_address"
    assert product.deliveries == []


def test_the_account_that_the_product_made_is_kept(app: Flask, product: HandoffReceiver) -> None:
    register_customer(app)
    product.reply = lambda _: json_reply(url="https://app.acme.example/t/juniper", reference="juniper-1")

    send_due_handoffs(app)

    made = account(app)
    assert made
    assert (made.url, made.reference, made.refused) == ("https://app.acme.example/t/juniper", "juniper-1", None)


def test_a_later_answer_that_says_nothing_takes_nothing_away(app: Flask, product: HandoffReceiver) -> None:
    register_customer(app)
    product.reply = lambda _: json_reply(url="https://app.acme.example/t/juniper", reference="juniper-1")
    send_due_handoffs(app)
    receive_license_event(app, LICENSE_UPDATED, minutes_after_noon(1))
    product.reply = lambda _: handoff_receiver.OK_REPLY

    send_due_handoffs(app)

    made = account(app)
    assert made
    assert made.reference == "juniper-1"
    assert product.deliveries[-1]["data"]["account"]["reference"] == "juniper-1"


def test_a_refusal_is_kept_until_the_buyer_asks_for_another_account(app: Flask, product: HandoffReceiver) -> None:
    register_customer(app, account="existing", existing_account="acme-7")
    product.reply = lambda _: json_reply(refused="not_found")
    send_due_handoffs(app)
    refused = account(app)

    register_customer(app, account="new")
    product.reply = lambda _: json_reply(reference="acme-8")
    send_due_handoffs(app)

    assert refused
    assert refused.refused == "not_found"
    assert product.deliveries[0]["data"]["account"]["existing_account"] == "acme-7"
    made = account(app)
    assert made
    assert (made.reference, made.refused) == ("acme-8", None)


@pytest.mark.parametrize(
    "body", [b"ok", b"[]", b'{"url": 3}', b'{"url": "javascript:alert(1)"}', b'{"reference": "\\ud800"}', b"\xff\xfe"]
)
@on_sqlite
def test_an_answer_that_is_none_is_delivered_all_the_same(app: Flask, product: HandoffReceiver, body: bytes) -> None:
    register_customer(app)
    product.reply = lambda _: (200, {}, body)

    assert send_due_handoffs(app) == [True]

    made = account(app)
    assert outbox_messages(app)[0].outcome == "delivered"
    assert made
    assert (made.url, made.reference, made.refused) == (None, None, None)


@on_sqlite
@pytest.mark.parametrize("known", [handoff_receiver.SECRET, SECOND_SECRET])
def test_while_secrets_rotate_a_product_verifies_with_either(
    environment: pytest.MonkeyPatch, product: HandoffReceiver, known: str
) -> None:
    environment.setenv("HANDOFF_SECRET", f"{SECOND_SECRET}, {handoff_receiver.SECRET}")
    product.secret = known

    with factories.open_app(create_app()) as app:
        register_customer(app)
        send_due_handoffs(app)

    assert (len(product.deliveries), product.unverified_count) == (1, 0)


def test_a_subscription_without_a_registration_is_told_too(app: Flask, product: HandoffReceiver) -> None:
    receive_license_event(app, LICENSE_UPDATED, minutes_after_noon(1))

    send_due_handoffs(app)

    (delivery,) = product.deliveries
    assert delivery["type"] == "subscription.activated"
    assert delivery["data"]["registration"] is None


def test_changed_at_moves_with_every_change(app: Flask, product: HandoffReceiver) -> None:
    def changed_at() -> datetime:
        with app.app_context(), engine.current_database().read_engine.connect() as connection:
            return connection.execute(select(Subscription.changed_at)).scalar_one()

    register_customer(app)
    moments = [changed_at()]
    receive_license_event(app, LICENSE_UPDATED, minutes_after_noon(1))
    moments.append(changed_at())
    product.reply = lambda _: json_reply(reference="juniper-1")
    send_due_handoffs(app)
    moments.append(changed_at())

    assert sorted(set(moments)) == moments
