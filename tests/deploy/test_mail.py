"""What SES tells of a mail that did not arrive reaches the queue of a stack that knows the configuration set."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, get_args

import pytest

from app.services.outbox import bounces
from sandbox.inbox import Inbox, bounced
from sandbox.server import Sandbox
from tests.deploy.stack import ACCOUNT, QUEUE, Aws, Stack, deployed
from tests.deploy.test_template import IDENTITY, QUEUES, RULE, senders, statements

SET, MAIL_RULE = "acme-mail", f"{RULE}-ses"
ASKED = {
    "FromEmailAddress": "start@acme.example",
    "Destination": {"ToAddresses": ["ada@example.com"]},
    "Content": {"Simple": {"Subject": {"Data": "Hello"}, "Body": {}}},
    "ConfigurationSetName": SET,
}


@pytest.fixture
def mailing(sandbox: Sandbox) -> Iterator[Stack]:
    """The stack of a seller who sends mail from an identity, by a configuration set."""
    aws = Aws(sandbox.aws_url)
    aws.client("sesv2").create_configuration_set(ConfigurationSetName=SET)
    with deployed(sandbox.aws_url, MailIdentityArn=IDENTITY, SesConfigurationSet=SET) as stack:
        yield stack
    aws.client("sesv2").delete_configuration_set(ConfigurationSetName=SET)
    aws.close()


def told(kind: str, configuration_set: str = SET) -> dict[str, Any]:
    """Return an event of SES's about a mail that went by that configuration set."""
    event = bounced(Inbox().take({**ASKED, "ConfigurationSetName": configuration_set}), datetime.now(UTC))
    return {**event, "detail-type": kind}


def put(stack: Stack, *events: dict[str, Any]) -> None:
    for event in events:
        detail = json.dumps(event["detail"])
        entry: Any = {"Source": event["source"], "DetailType": event["detail-type"], "Detail": detail}
        assert stack.aws.events.put_events(Entries=[entry])["FailedEntryCount"] == 0


def test_every_kind_of_bounce_that_foyer_knows_arrives_and_is_understood(mailing: Stack) -> None:
    put(mailing, *map(told, get_args(bounces.Kind)))

    arrived = [bounces.parse(json.dumps(event)) for event in mailing.arrived()]

    assert sorted(bounce.kind for bounce in arrived if bounce) == sorted(get_args(bounces.Kind))


@pytest.mark.parametrize("event", [told("Email Delivered"), told("Email Bounced", "another-set")])
def test_what_became_of_other_mails_does_not_arrive(mailing: Stack, event: dict[str, Any]) -> None:
    put(mailing, event)

    assert mailing.arrived() == []


def test_ses_is_asked_to_tell_eventbridge_what_the_rule_waits_for(mailing: Stack) -> None:
    answer = mailing.aws.client("ses").describe_configuration_set(
        ConfigurationSetName=SET, ConfigurationSetAttributeNames=["eventDestinations"]
    )

    [destination] = answer["EventDestinations"]
    assert destination["Enabled"]
    assert sorted(destination["MatchingEventTypes"]) == ["bounce", "complaint", "reject", "renderingFailure"]


@pytest.mark.parametrize("queue", QUEUES)
def test_both_rules_may_send_to_the_queue(mailing: Stack, queue: str) -> None:
    assert senders(mailing, queue) == {"events.amazonaws.com": {"ArnEquals": {"aws:SourceArn": [RULE, MAIL_RULE]}}}


def test_what_cannot_be_delivered_is_set_aside(mailing: Stack) -> None:
    [target] = mailing.aws.events.list_targets_by_rule(Rule=f"{QUEUE}-ses")["Targets"]

    assert target["Arn"] == mailing.queue_arn
    assert target["DeadLetterConfig"] == {"Arn": f"{mailing.queue_arn}-dead-letters"}


def test_foyer_may_send_from_that_identity_by_that_set_and_look_at_both_rules(mailing: Stack) -> None:
    reach = {statement["Sid"]: statement["Resource"] for statement in statements(mailing)}

    assert reach["SendMail"] == [IDENTITY, f"arn:aws:ses:us-east-1:{ACCOUNT}:configuration-set/{SET}"]
    assert reach["LetTheDoctorReadTheRule"] == [RULE, MAIL_RULE]


def test_an_identity_alone_is_enough_to_send(sandbox: Sandbox) -> None:
    with deployed(sandbox.aws_url, MailIdentityArn=IDENTITY) as stack:
        reach = {statement["Sid"]: statement["Resource"] for statement in statements(stack)}

        assert reach["SendMail"] == IDENTITY
        assert stack.aws.events.list_rules(NamePrefix=QUEUE)["Rules"][1:] == []
