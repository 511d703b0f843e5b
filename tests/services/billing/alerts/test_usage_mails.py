"""Mails about usage that is not billed: many problems make one mail, and each problem is in one mail."""

import pytest
from structlog.testing import capture_logs

from app.services.outbox import queue
from tests.support import factories
from tests.support.clock import time_passes
from tests.support.databases import on_sqlite
from tests.support.metered_product import DIMENSION, MeteredProduct, at
from tests.support.sent_mails import send_due_mails, text_of
from tests.support.smtp_server import FakeSmtpServer
from tests.support.unbilled_usage import PROBLEM, conflict, usage_mails


def test_mail_says_what_happened_to_whom_and_what_to_do(metered: MeteredProduct, mail_server: FakeSmtpServer) -> None:
    purchase = conflict(metered, 10)
    [hour] = metered.hours()

    with time_passes(minutes=2):
        mail = send_due_mails(metered.app, mail_server)[PROBLEM]

    words = text_of(mail)
    assert (mail["Subject"], mail["To"]) == ("Usage was not billed (Acme Insights)", "sales@acme.example")
    assert "AWS has another quantity for these hours, which Foyer did not send" in words
    assert "Look for another system that meters this product" in words
    assert f"2026-11-28 10:00 UTC {DIMENSION} 1.5 AWS account {purchase.account_id}" in words
    assert f"foyer usage show {hour.id}" in words


def test_many_hours_within_an_hour_make_one_mail(metered: MeteredProduct, mail_server: FakeSmtpServer) -> None:
    conflict(metered, 10, 11, 12)
    conflict(metered, 14)

    with time_passes(minutes=2):
        mail = send_due_mails(metered.app, mail_server)[PROBLEM]

    assert len(usage_mails(metered.app)) == 1
    assert text_of(mail).count("foyer usage show") == 4


def test_problem_after_the_mail_waits_until_the_hour_is_over(
    metered: MeteredProduct, mail_server: FakeSmtpServer
) -> None:
    conflict(metered, 10)
    with time_passes(minutes=2):
        assert PROBLEM in send_due_mails(metered.app, mail_server)
        conflict(metered, 12)
        conflict(metered, 14)
    with time_passes(minutes=58):
        assert PROBLEM not in send_due_mails(metered.app, mail_server)
    new = {str(hour.id) for hour in metered.hours()[1:]}

    with time_passes(minutes=62):
        mail = send_due_mails(metered.app, mail_server)[PROBLEM]

    assert len(usage_mails(metered.app)) == 2
    assert {id_ for id_ in text_of(mail).split() if id_ in {str(hour.id) for hour in metered.hours()}} == new


def test_problem_while_the_mail_is_sent_is_in_the_next_one(metered: MeteredProduct) -> None:
    conflict(metered, 10)
    with time_passes(minutes=2):
        while (claimed := queue.claim(queue.MAIL_LANE)) and claimed.type != PROBLEM:
            pass
        assert claimed
        conflict(metered, 12)

    first, second = usage_mails(metered.app)
    assert [first.payload["counts"], second.payload["counts"]] == [{"conflict": 1}, {"conflict": 1}]


@on_sqlite
def test_mail_names_a_hundred_hours_and_counts_the_rest(metered: MeteredProduct, mail_server: FakeSmtpServer) -> None:
    purchase = metered.buy()
    metered.set_clock(at("10:20"))
    metered.accept(*(metered.item(purchase, id=f"d{number}", dimension=f"d{number}") for number in range(130)))
    metered.set_clock(at("11:10", day=29))
    metered.work()

    with time_passes(minutes=2):
        mail = send_due_mails(metered.app, mail_server)[PROBLEM]

    assert {hour.state for hour in metered.hours()} == {"expired"}
    assert text_of(mail).count("foyer usage show") == 100
    assert "Beside these, 30 more: foyer usage list --state expired" in text_of(mail)


def test_held_item_is_logged_and_mailed(metered: MeteredProduct, mail_server: FakeSmtpServer) -> None:
    purchase = metered.buy()
    metered.set_clock(at("00:30", day=1, month=12))
    metered.use(purchase, at=at("23:50", day=30))
    metered.set_clock(at("05:30", day=1, month=12))
    metered.work()
    with capture_logs() as logs:
        metered.use(purchase, "7", id="late-7", at=at("23:55", day=30))

    with time_passes(minutes=2):
        mail = send_due_mails(metered.app, mail_server)[PROBLEM]

    assert [(line["items"], line["product"]) for line in logs if line["event"] == "usage.held"] == [
        (1, factories.PRODUCT_CODE)
    ]
    assert mail["Subject"] == "Usage is held (Acme Insights)"
    assert f"2026-11-30 23:55 UTC {DIMENSION} 7 AWS account {purchase.account_id}" in text_of(mail)
    assert "foyer usage settle ITEM --next-hour" in text_of(mail)
    assert "foyer usage show late-7" in text_of(mail)


@on_sqlite
def test_without_mail_from_no_mail_is_stored(metered: MeteredProduct, environment: pytest.MonkeyPatch) -> None:
    metered.app.extensions["products"].sends_mail = False
    conflict(metered, 10)

    assert usage_mails(metered.app) == []
