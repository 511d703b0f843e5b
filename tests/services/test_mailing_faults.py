"""Mailing: what keeps a letter from going, and what becomes of it then."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import update
from uuid_utils.compat import uuid7

from app.models import Subscription
from app.services.delivery import send_mail
from app.services.outbox import queue
from app.services.signup import erasure
from tests.databases import on_sqlite
from tests.mailed import BUYER, by_clerk, letters, sent
from tests.post import Post
from tests.promised import (
    SITE_URL,
    claimed,
    later,
    mail_all,
    mails,
    register,
    registration_of,
)
from tests.services.people import write


@pytest.fixture
def environment(environment: pytest.MonkeyPatch, clerk: Post) -> Iterator[pytest.MonkeyPatch]:
    with by_clerk(environment, clerk) as mailing_:
        yield mailing_


def test_a_mail_server_that_is_down_is_waited_for_and_never_fails_a_registration(app: Flask, clerk: Post) -> None:
    clerk.answers["MAIL"] = "451 4.3.0 not now"
    subscription_id = register(app)

    assert mail_all(app) == [False, False]

    assert registration_of(app, subscription_id)
    now = datetime.now(UTC)
    for mail in mails(app):
        assert (mail.outcome, mail.fault, mail.tries) == ("waiting", "SMTP 451 4.3.0", 1)
        assert mail.next_try_at
        assert timedelta() < mail.next_try_at - now <= timedelta(seconds=10)
    clerk.answers.clear()
    with later(seconds=11):
        assert set(sent(app, clerk)) == {"buyer_registered", "seller_registered"}


@on_sqlite
def test_after_three_days_a_letter_counts_as_failed(app: Flask, clerk: Post) -> None:
    clerk.answers["MAIL"] = "451 4.3.0 not now"
    register(app)
    mail_all(app)

    with later(days=3, seconds=1):
        assert mail_all(app) == [True, True]

    assert {(mail.outcome, mail.fault) for mail in mails(app)} == {("failed", "SMTP 451 4.3.0")}


@on_sqlite
def test_an_address_that_the_server_refuses_is_not_tried_again(
    app: Flask, clerk: Post, capsys: pytest.CaptureFixture[str]
) -> None:
    clerk.answers["RCPT"] = f"550 5.1.1 <{BUYER}> is unknown here"
    register(app)

    mail_all(app)

    assert {(mail.outcome, mail.fault) for mail in mails(app)} == {("failed", "SMTP 550 5.1.1")}
    # The clerk logs, too.
    said = [line for line in capsys.readouterr().err.splitlines() if '"event": "mail.failed"' in line]
    assert len(said) == 2
    assert BUYER not in str(said)


def test_to_who_was_erased_nothing_is_sent(app: Flask, clerk: Post) -> None:
    subscription_id = register(app)
    under_way = claimed(app, queue.MAIL)
    with app.app_context():
        erasure.erase(registration_of(app, subscription_id), "operator:alice")

    with app.app_context():
        assert send_mail.send(under_way, site_url=SITE_URL)

    assert mail_all(app) == []
    assert letters(clerk) == []
    assert {mail.outcome for mail in mails(app)} == {"cancelled"}


@on_sqlite
def test_a_letter_to_who_is_not_there_any_more_is_cancelled(app: Flask) -> None:
    write(app, lambda connection: queue.put_mail(connection, "buyer_registered", registration_id=uuid7()))

    mail_all(app)

    assert [mail.outcome for mail in mails(app)] == ["cancelled"]


@on_sqlite
def test_a_letter_about_a_product_that_is_not_sold_any_more_fails(app: Flask, clerk: Post) -> None:
    register(app)
    sold_before = update(Subscription).values(product_code="gone")
    write(app, lambda connection: connection.execute(sold_before))

    mail_all(app)

    assert {(mail.outcome, mail.fault) for mail in mails(app)} == {("failed", "UnknownProduct")}
