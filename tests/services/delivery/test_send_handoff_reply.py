"""Answers to a hand-off that was sent again, after the product had answered what was asked since."""

import pytest
from flask import Flask

from app.models import Account
from app.services.reports import outbox
from tests.support import factories, outbox_messages
from tests.support.databases import on_sqlite
from tests.support.handoff_receiver import OK_REPLY, HandoffReceiver, Reply, json_reply
from tests.support.outbox_messages import (
    LICENSE_UPDATED,
    handoff_messages,
    receive_license_event,
    register_customer,
    send_due_handoffs,
)
from tests.support.stored_rows import all_rows

TEAM_7 = json_reply(url="https://app.acme.example/t/7", reference="team-7")
TEAM_8 = json_reply(url="https://app.acme.example/t/8", reference="team-8")


@pytest.fixture
def environment(environment: pytest.MonkeyPatch, product: HandoffReceiver) -> pytest.MonkeyPatch:
    factories.enable_handoffs(environment, product.url)
    return environment


def hand_off(app: Flask, product: HandoffReceiver, reply: Reply) -> None:
    product.reply = lambda _: reply
    send_due_handoffs(app)


def send_again(app: Flask, product: HandoffReceiver, place: int, reply: Reply) -> None:
    with app.app_context():
        assert outbox.resend(handoff_messages(app)[place].id)
    hand_off(app, product, reply)


def account(app: Flask) -> tuple[str | None, str | None]:
    (found,) = all_rows(app, Account)
    return found.reference, found.refused


@pytest.mark.parametrize("again", [TEAM_7, json_reply(refused="not_found")])
def test_what_was_answered_to_an_earlier_wish_is_not_the_account_of_the_present_one(
    app: Flask, product: HandoffReceiver, again: Reply
) -> None:
    register_customer(app)
    hand_off(app, product, TEAM_7)
    register_customer(app, account="existing", existing_account="team-8")
    hand_off(app, product, TEAM_8)

    send_again(app, product, 0, again)

    assert account(app) == ("team-8", None)
    assert [message.outcome for message in handoff_messages(app)] == ["delivered", "delivered"]


def test_who_says_nothing_to_what_it_has_overtaken_still_refuses(app: Flask, product: HandoffReceiver) -> None:
    register_customer(app)
    hand_off(app, product, json_reply(410))
    register_customer(app, account="existing", existing_account="team-8")
    hand_off(app, product, json_reply(refused="not_found"))

    send_again(app, product, 0, OK_REPLY)

    assert account(app) == (None, "not_found")


@on_sqlite
def test_an_account_that_was_made_by_hand_is_told_by_the_latest_hand_off_sent_again(
    app: Flask, product: HandoffReceiver
) -> None:
    register_customer(app)
    hand_off(app, product, OK_REPLY)
    receive_license_event(app, LICENSE_UPDATED, outbox_messages.NOW)
    hand_off(app, product, OK_REPLY)

    send_again(app, product, 0, TEAM_7)
    first = account(app)
    send_again(app, product, 1, TEAM_8)

    assert (first, account(app)) == (("team-7", None), ("team-8", None))
