"""Bounces: what SES tells of a mail is recorded on it, and nothing of whom it was for."""

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from sqlalchemy import Connection, insert
from uuid_utils.compat import uuid7

from app import create_app
from app.models import OutboxMessage
from app.services.events import consume
from app.services.outbox import bounces
from app.services.outbox.bounces import Bounce
from sandbox.inbox import Inbox, bounce_event
from sandbox.server import Sandbox
from tests.support import factories
from tests.support.events_queue import EventsQueue
from tests.support.personal_data import run_transaction
from tests.support.stored_rows import all_rows

AT = datetime(2026, 11, 23, 14, 5, tzinfo=UTC)
ASKED = {
    "FromEmailAddress": "start@acme.example",
    "Destination": {"ToAddresses": ["ada@gmail.com"]},
    "Content": {"Simple": {"Subject": {"Data": "Hello"}, "Body": {}}},
    "ConfigurationSetName": "acme-mail",
}
LETTER = Inbox().store(ASKED)
FULL = {"bounceType": "Transient", "bounceSubType": "MailboxFull"}
COMPLAINT = {"complaintFeedbackType": "abuse", "complainedRecipients": [{"emailAddress": "ada@gmail.com"}]}


def told(kind: str = "Email Bounced", **detail: Any) -> dict[str, Any]:
    """Return what SES tells of the letter, with the parts of its detail given."""
    event = bounce_event(LETTER, AT)
    return {**event, "detail-type": kind, "detail": {**event["detail"], **detail}}


def read(event: dict[str, Any]) -> Bounce:
    bounce = bounces.parse(json.dumps(event))
    assert bounce
    return bounce


def mailed(app: Flask, provider_id: str | None = None) -> UUID:
    """Return the id of a mail in the outbox that has gone out."""
    outbox_id = uuid7()
    row = {"id": outbox_id, "lane": "mail", "type": "buyer_registered", "payload": {}, "created_at": AT, "tries": 1}
    row |= {"outcome": "delivered", "settled_at": AT, "provider_id": provider_id}

    def add(connection: Connection) -> None:
        connection.execute(insert(OutboxMessage), [row])

    run_transaction(app, add)
    return outbox_id


def record(app: Flask, bounce: Bounce) -> bool:
    with app.app_context():
        return bounces.record(bounce)


def recorded(app: Flask) -> list[tuple[datetime | None, str | None]]:
    return [(message.bounced_at, message.bounce) for message in all_rows(app, OutboxMessage)]


@pytest.mark.parametrize(
    ("kind", "detail", "reason"),
    [
        ("Email Bounced", {}, "Permanent/General"),
        (
            "Email Bounced",
            {"bounce": {"bounceType": "Transient", "bounceSubType": "MailboxFull"}},
            "Transient/MailboxFull",
        ),
        ("Email Bounced", {"bounce": {}}, "Bounced"),
        ("Email Complaint Received", {"complaint": COMPLAINT}, "Complaint/abuse"),
        ("Email Complaint Received", {"complaint": {"complaintFeedbackType": None}}, "Complaint"),
        ("Email Rejected", {"reject": {"reason": "Bad content"}}, "Rejected"),
        ("Email Rendering Failed", {"failure": {"errorMessage": "ada@gmail.com"}}, "RenderingFailed"),
    ],
)
def test_each_kind_is_understood_with_its_reason_in_a_word_or_two(
    kind: str, detail: dict[str, Any], reason: str
) -> None:
    bounce = read(told(kind, **detail))

    assert bounce == Bounce(LETTER.id, None, kind, reason, AT)


def test_the_tag_that_we_gave_the_mail_comes_back() -> None:
    outbox_id = uuid7()
    mail = {**told()["detail"]["mail"], "tags": {"foyer-outbox": [str(outbox_id)], "ses:source-ip": ["10.0.0.1"]}}

    assert read(told(mail=mail)).outbox_id == outbox_id


@pytest.mark.parametrize("tags", [{}, {"foyer-outbox": []}, {"foyer-outbox": ["not an id"]}])
def test_a_tag_that_is_not_ours_is_none(tags: dict[str, list[str]]) -> None:
    mail = {**told()["detail"]["mail"], "tags": tags}

    assert read(told(mail=mail)).outbox_id is None


def test_nothing_that_a_mail_server_says_is_kept_for_a_reason() -> None:
    bounce = read(told(bounce={"bounceType": "smtp; 550 ada@gmail.com", "bounceSubType": "x" * 500}))

    assert bounce.reason == "Bounced"


@pytest.mark.parametrize(
    "body",
    [
        "",
        "{]",
        "[]",
        "null",
        "[" * 100_000,
        json.dumps({**told(), "source": "aws.agreement-marketplace"}),
        json.dumps({**told(), "source": "com.example.orders"}),
        json.dumps(told("Email Delivered")),
        json.dumps({**told(), "detail": {}}),
        json.dumps({**told(), "time": "yesterday"}),
        json.dumps(told(mail={"messageId": "\x00"})),
        json.dumps(told(mail={"messageId": "x" * 300})),
    ],
)
def test_whatever_is_no_bounce_is_left_to_others(body: str) -> None:
    assert bounces.parse(body) is None


def test_a_bounce_is_recorded_on_the_mail_that_ses_knows_by_that_id(
    app: Flask, capsys: pytest.CaptureFixture[str]
) -> None:
    outbox_id = mailed(app, LETTER.id)
    mailed(app, "another")

    is_ours = record(app, read(told()))

    assert is_ours
    assert sorted(recorded(app), key=str) == [(None, None), (AT, "Permanent/General")]
    logged = capsys.readouterr().err
    assert f'"mail": "{outbox_id}", "kind": "Email Bounced", "reason": "Permanent/General"' in logged
    assert "gmail" not in logged


def test_a_bounce_that_is_quicker_than_the_note_of_sess_id_finds_its_mail_by_the_tag(app: Flask) -> None:
    outbox_id = mailed(app)
    mail = {**told()["detail"]["mail"], "tags": {"foyer-outbox": [str(outbox_id)]}}

    is_ours = record(app, read(told(mail=mail)))

    assert is_ours
    assert recorded(app) == [(AT, "Permanent/General")]


def test_the_first_word_on_a_mail_stands(app: Flask) -> None:
    mailed(app, LETTER.id)
    record(app, read(told()))

    is_news = record(app, read(told("Email Complaint Received", complaint=COMPLAINT)))

    assert not is_news
    assert recorded(app) == [(AT, "Permanent/General")]


def test_a_bounce_of_somebody_elses_mail_changes_nothing(app: Flask) -> None:
    mailed(app, "another")

    is_ours = record(app, read(told()))

    assert not is_ours
    assert recorded(app) == [(None, None)]


@pytest.fixture
def events_queue(sandbox: Sandbox, environment: pytest.MonkeyPatch) -> Iterator[EventsQueue]:
    mailbox = EventsQueue(sandbox)
    environment.setenv("EVENTS_QUEUE_URL", mailbox.url)
    yield mailbox
    mailbox.close()


def test_the_worker_takes_a_bounce_out_of_the_queue_once_it_is_on_disk(events_queue: EventsQueue) -> None:
    with factories.open_app(create_app()) as app:
        mailed(app, LETTER.id)
        events_queue.send(told())

        with app.app_context():
            consume.poll(threading.Event())

        assert recorded(app) == [(AT, "Permanent/General")]
    assert events_queue.message_counts() == (0, 0)
    assert events_queue.dead_letters() == []


def test_an_event_of_ses_that_nobody_understands_is_set_aside(events_queue: EventsQueue) -> None:
    with factories.open_app(create_app()) as app, app.app_context():
        events_queue.send(told("Email Delivered"))

        consume.poll(threading.Event())

    [(body, reason)] = events_queue.dead_letters()
    assert json.loads(body)["detail-type"] == "Email Delivered"
    assert "source" in reason
