"""Bounces: SES's report is recorded on the mail, without the recipient's address."""

import json
import threading
from datetime import UTC, datetime
from itertools import permutations
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
from sandbox import mail_requests
from sandbox.inbox import Inbox, bounce_event
from tests.support import factories
from tests.support.events_queue import EventsQueue
from tests.support.personal_data import run_transaction
from tests.support.stored_rows import all_rows

AT = datetime(2026, 11, 23, 14, 5, tzinfo=UTC)
SEND_REQUEST = {
    "FromEmailAddress": "start@acme.example",
    "Destination": {"ToAddresses": ["ada@gmail.com"]},
    "Content": {"Simple": {"Subject": {"Data": "Hello"}, "Body": {}}},
    "ConfigurationSetName": "acme-mail",
}
MAIL = Inbox().store(mail_requests.read_new_request(SEND_REQUEST))
FULL = {"bounceType": "Transient", "bounceSubType": "MailboxFull"}
COMPLAINT = {"complaintFeedbackType": "abuse", "complainedRecipients": [{"emailAddress": "ada@gmail.com"}]}


def ses_event(kind: str = "Email Bounced", **detail: Any) -> dict[str, Any]:
    """Return SES's event about the mail, with some parts of its detail replaced."""
    event = bounce_event(MAIL, AT)
    return {**event, "detail-type": kind, "detail": {**event["detail"], **detail}}


def parse_event(event: dict[str, Any]) -> Bounce:
    bounce = bounces.parse(event)
    assert bounce
    return bounce


def add_sent_mail(app: Flask, provider_id: str | None = None) -> UUID:
    """Add a mail to the outbox that was sent, and return its id."""
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
        ("Email Bounced", {"bounce": FULL}, "Transient/MailboxFull"),
        ("Email Bounced", {"bounce": {}}, "Bounced"),
        ("Email Complaint Received", {"complaint": COMPLAINT}, "Complaint/abuse"),
        ("Email Complaint Received", {"complaint": {"complaintFeedbackType": None}}, "Complaint"),
        ("Email Rejected", {"reject": {"reason": "Bad content"}}, "Rejected"),
        ("Email Rendering Failed", {"failure": {"errorMessage": "ada@gmail.com"}}, "RenderingFailed"),
    ],
)
def test_bounce_is_parsed_with_its_reason(kind: str, detail: dict[str, Any], reason: str) -> None:
    bounce = parse_event(ses_event(kind, **detail))

    assert (bounce.provider_id, bounce.outbox_id, bounce.kind, bounce.reason) == (MAIL.id, None, kind, reason)
    assert bounce.bounced_at == AT


def test_bounce_has_the_outbox_id_of_our_tag() -> None:
    outbox_id = uuid7()
    mail = {**ses_event()["detail"]["mail"], "tags": {"foyer-outbox": [str(outbox_id)], "ses:source-ip": ["10.0.0.1"]}}

    assert parse_event(ses_event(mail=mail)).outbox_id == outbox_id


@pytest.mark.parametrize("tags", [{}, {"foyer-outbox": []}, {"foyer-outbox": ["not an id"]}])
def test_tag_without_a_valid_id_is_ignored(tags: dict[str, list[str]]) -> None:
    mail = {**ses_event()["detail"]["mail"], "tags": tags}

    assert parse_event(ses_event(mail=mail)).outbox_id is None


def test_text_of_a_mail_server_is_not_stored_as_the_reason() -> None:
    bounce = parse_event(ses_event(bounce={"bounceType": "smtp; 550 ada@gmail.com", "bounceSubType": "x" * 500}))

    assert bounce.reason == "Bounced"


@pytest.mark.parametrize(
    "body",
    [
        "",
        [],
        None,
        {},
        {**ses_event(), "source": "aws.agreement-marketplace"},
        {**ses_event(), "source": "com.example.orders"},
        ses_event("Email Delivered"),
        {**ses_event(), "detail": {}},
        {**ses_event(), "time": "yesterday"},
        ses_event(mail={"messageId": "\x00"}),
        ses_event(mail={"messageId": "x" * 300}),
    ],
)
def test_message_that_is_no_bounce_is_not_parsed(body: object) -> None:
    assert bounces.parse(body) is None


def test_bounce_is_recorded_on_the_mail_with_its_ses_id(app: Flask, capsys: pytest.CaptureFixture[str]) -> None:
    outbox_id = add_sent_mail(app, MAIL.id)
    add_sent_mail(app, "another")

    is_ours = record(app, parse_event(ses_event()))

    assert is_ours
    assert sorted(recorded(app), key=str) == [(None, None), (AT, "Permanent/General")]
    logged = capsys.readouterr().err
    assert f'"mail": "{outbox_id}", "kind": "Email Bounced", "reason": "Permanent/General"' in logged
    assert "gmail" not in logged


def test_bounce_before_the_ses_id_is_stored_finds_its_mail_by_tag(app: Flask) -> None:
    outbox_id = add_sent_mail(app)
    mail = {**ses_event()["detail"]["mail"], "tags": {"foyer-outbox": [str(outbox_id)]}}

    is_ours = record(app, parse_event(ses_event(mail=mail)))

    assert is_ours
    assert recorded(app) == [(AT, "Permanent/General")]


@pytest.mark.parametrize("order", list(permutations(range(4))))
def test_worst_bounce_stands_in_whatever_order_they_come(app: Flask, order: tuple[int, ...]) -> None:
    add_sent_mail(app, MAIL.id)
    transient = {"bounceType": "Transient", "bounceSubType": "General"}
    undetermined = {"bounceType": "Undetermined", "bounceSubType": "Undetermined"}
    reported = [
        ses_event(bounce=transient),
        ses_event(bounce=undetermined),
        ses_event(),
        ses_event("Email Complaint Received", complaint=COMPLAINT),
    ]

    was_recorded = {place: record(app, parse_event(reported[place])) for place in order}

    assert recorded(app) == [(AT, "Complaint/abuse")]
    # What comes after something worse is dropped.
    assert was_recorded == {place: max(order[: order.index(place) + 1]) == place for place in order}


def test_bounce_that_is_reported_twice_is_recorded_once(app: Flask) -> None:
    add_sent_mail(app, MAIL.id)

    first, second = (record(app, parse_event(ses_event())) for _ in range(2))

    assert (first, second) == (True, False)


@pytest.mark.parametrize(("sub_type", "level"), [("General", "info"), ("MailboxFull", "info"), (None, "warning")])
def test_bounce_that_may_pass_is_no_warning(
    app: Flask, capsys: pytest.CaptureFixture[str], sub_type: str | None, level: str
) -> None:
    add_sent_mail(app, MAIL.id)
    bounce = {"bounceType": "Transient", "bounceSubType": sub_type} if sub_type else {"bounceType": "Permanent"}

    record(app, parse_event(ses_event(bounce=bounce)))

    assert f'"level": "{level}"' in capsys.readouterr().err


def test_bounce_of_an_unknown_mail_changes_nothing(app: Flask) -> None:
    add_sent_mail(app, "another")

    is_ours = record(app, parse_event(ses_event()))

    assert not is_ours
    assert recorded(app) == [(None, None)]


def test_worker_deletes_a_recorded_bounce_from_the_queue(events_queue: EventsQueue) -> None:
    with factories.open_app(create_app()) as app:
        add_sent_mail(app, MAIL.id)
        events_queue.send(ses_event())

        with app.app_context():
            consume.poll(threading.Event())

        assert recorded(app) == [(AT, "Permanent/General")]
    assert events_queue.message_counts() == (0, 0)
    assert events_queue.dead_letters() == []


def test_unknown_ses_event_is_dead_lettered(events_queue: EventsQueue) -> None:
    with factories.open_app(create_app()) as app, app.app_context():
        events_queue.send(ses_event("Email Delivered"))

        consume.poll(threading.Event())

    [(body, reason)] = events_queue.dead_letters()
    assert json.loads(body)["detail-type"] == "Email Delivered"
    assert "source" in reason
