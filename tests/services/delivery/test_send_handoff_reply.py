"""The product's replies to hand-offs: which one is stored as the account, also after one was sent again."""

import pytest
from flask import Flask

from app.models import Account
from app.services.reports import outbox
from tests.support import factories, outbox_messages
from tests.support.aws_events import LICENSE_UPDATED
from tests.support.databases import on_sqlite
from tests.support.handoff_receiver import OK_REPLY, HandoffReceiver, Reply, json_reply
from tests.support.outbox_messages import handoff_messages, receive_license_event, register_customer, send_due_handoffs
from tests.support.stored_rows import all_rows

TEAM_7 = json_reply(url="https://app.acme.example/t/7", reference="team-7")
TEAM_8 = json_reply(url="https://app.acme.example/t/8", reference="team-8")


@pytest.fixture
def environment(environment: pytest.MonkeyPatch, product: HandoffReceiver) -> pytest.MonkeyPatch:
    factories.enable_handoffs(environment, product.url)
    return environment


def reply_to_due(app: Flask, product: HandoffReceiver, reply: Reply) -> None:
    product.reply = lambda _: reply
    send_due_handoffs(app)


def resend_handoff(app: Flask, product: HandoffReceiver, index: int, reply: Reply) -> None:
    with app.app_context():
        assert outbox.resend(handoff_messages(app)[index].id)
    reply_to_due(app, product, reply)


def stored_account(app: Flask) -> tuple[str | None, str | None]:
    (stored,) = all_rows(app, Account)
    return stored.reference, stored.refused


@pytest.mark.parametrize("second_reply", [TEAM_7, json_reply(refused="not_found")])
def test_reply_to_resent_handoff_does_not_replace_a_newer_account(
    app: Flask, product: HandoffReceiver, second_reply: Reply
) -> None:
    register_customer(app)
    reply_to_due(app, product, TEAM_7)
    register_customer(app, account="existing", existing_account="team-8")
    reply_to_due(app, product, TEAM_8)

    resend_handoff(app, product, 0, second_reply)

    assert stored_account(app) == ("team-8", None)
    assert [message.outcome for message in handoff_messages(app)] == ["delivered", "delivered"]


def test_empty_reply_to_resent_handoff_keeps_the_refusal(app: Flask, product: HandoffReceiver) -> None:
    register_customer(app)
    reply_to_due(app, product, json_reply(410))
    register_customer(app, account="existing", existing_account="team-8")
    reply_to_due(app, product, json_reply(refused="not_found"))

    resend_handoff(app, product, 0, OK_REPLY)

    assert stored_account(app) == (None, "not_found")


@on_sqlite
def test_resent_latest_handoff_stores_an_account_made_by_hand(app: Flask, product: HandoffReceiver) -> None:
    register_customer(app)
    reply_to_due(app, product, OK_REPLY)
    receive_license_event(app, LICENSE_UPDATED, outbox_messages.NOW)
    reply_to_due(app, product, OK_REPLY)

    resend_handoff(app, product, 0, TEAM_7)
    first = stored_account(app)
    resend_handoff(app, product, 1, TEAM_8)

    assert (first, stored_account(app)) == (("team-7", None), ("team-8", None))


def test_reply_stores_the_account(app: Flask, product: HandoffReceiver) -> None:
    register_customer(app)

    reply_to_due(app, product, TEAM_7)

    (account,) = all_rows(app, Account)
    assert (account.url, account.reference, account.refused) == ("https://app.acme.example/t/7", "team-7", None)


def test_empty_later_reply_keeps_the_account(app: Flask, product: HandoffReceiver) -> None:
    register_customer(app)
    reply_to_due(app, product, TEAM_7)
    receive_license_event(app, LICENSE_UPDATED, outbox_messages.NOW)

    reply_to_due(app, product, OK_REPLY)

    assert stored_account(app) == ("team-7", None)
    assert product.deliveries[-1]["data"]["account"]["reference"] == "team-7"


def test_refusal_is_kept_until_the_buyer_asks_for_another_account(app: Flask, product: HandoffReceiver) -> None:
    register_customer(app, account="existing", existing_account="acme-7")
    reply_to_due(app, product, json_reply(refused="not_found"))
    refused = stored_account(app)

    register_customer(app, account="new")
    reply_to_due(app, product, json_reply(reference="acme-8"))

    assert product.deliveries[0]["data"]["account"]["existing_account"] == "acme-7"
    assert (refused, stored_account(app)) == ((None, "not_found"), ("acme-8", None))


@pytest.mark.parametrize(
    "body", [b"ok", b"[]", b'{"url": 3}', b'{"url": "javascript:alert(1)"}', b'{"reference": "\\ud800"}', b"\xff\xfe"]
)
@on_sqlite
def test_unreadable_reply_counts_as_delivered(app: Flask, product: HandoffReceiver, body: bytes) -> None:
    register_customer(app)
    product.reply = lambda _: (200, {}, body)

    assert send_due_handoffs(app) == [True]

    (account,) = all_rows(app, Account)
    assert handoff_messages(app)[0].outcome == "delivered"
    assert (account.url, account.reference, account.refused) == (None, None, None)
