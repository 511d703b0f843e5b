"""Answers to a hand-off that was sent again, after the product had answered what was asked since."""

import pytest
from flask import Flask

from app.models import Account
from app.services.reports import outbox
from tests import factories, promised
from tests.databases import on_sqlite
from tests.promised import UPDATED, handed_off, is_told, register, send_all
from tests.receiver import OK, Receiver, Reply, answering
from tests.stored import stored

TEAM_7 = answering(url="https://app.acme.example/t/7", reference="team-7")
TEAM_8 = answering(url="https://app.acme.example/t/8", reference="team-8")


@pytest.fixture
def environment(environment: pytest.MonkeyPatch, product: Receiver) -> pytest.MonkeyPatch:
    factories.hand_off(environment, product.url)
    return environment


def hand_off(app: Flask, product: Receiver, reply: Reply) -> None:
    product.reply = lambda _: reply
    send_all(app)


def send_again(app: Flask, product: Receiver, place: int, reply: Reply) -> None:
    with app.app_context():
        assert outbox.send_again(handed_off(app)[place].id)
    hand_off(app, product, reply)


def account(app: Flask) -> tuple[str | None, str | None]:
    (found,) = stored(app, Account)
    return found.reference, found.refused


@pytest.mark.parametrize("again", [TEAM_7, answering(refused="not_found")])
def test_what_was_answered_to_an_earlier_wish_is_not_the_account_of_the_present_one(
    app: Flask, product: Receiver, again: Reply
) -> None:
    register(app)
    hand_off(app, product, TEAM_7)
    register(app, account="existing", existing_account="team-8")
    hand_off(app, product, TEAM_8)

    send_again(app, product, 0, again)

    assert account(app) == ("team-8", None)
    assert [message.outcome for message in handed_off(app)] == ["delivered", "delivered"]


def test_who_says_nothing_to_what_it_has_overtaken_still_refuses(app: Flask, product: Receiver) -> None:
    register(app)
    hand_off(app, product, answering(410))
    register(app, account="existing", existing_account="team-8")
    hand_off(app, product, answering(refused="not_found"))

    send_again(app, product, 0, OK)

    assert account(app) == (None, "not_found")


@on_sqlite
def test_an_account_that_was_made_by_hand_is_told_by_the_latest_hand_off_sent_again(
    app: Flask, product: Receiver
) -> None:
    register(app)
    hand_off(app, product, OK)
    is_told(app, UPDATED, promised.NOW)
    hand_off(app, product, OK)

    send_again(app, product, 0, TEAM_7)
    first = account(app)
    send_again(app, product, 1, TEAM_8)

    assert (first, account(app)) == (("team-7", None), ("team-8", None))
