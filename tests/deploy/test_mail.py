"""What SES tells of a mail that did not arrive reaches the queue of a stack that knows the configuration set."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, get_args

import pytest

from app.services.outbox import bounces
from sandbox.inbox import Inbox, bounce_event
from sandbox.server import Sandbox
from tests.deploy.test_template import QUEUE_URLS, RULE_ARN, SES_IDENTITY_ARN, policy_statements, sender_conditions
from tests.support.cloudformation_stack import ACCOUNT_ID, QUEUE_NAME, AwsClients, Stack, deploy

SET, MAIL_RULE = "acme-mail", f"{RULE_ARN}-ses"
ASKED = {
    "FromEmailAddress": "start@acme.example",
    "Destination": {"ToAddresses": ["ada@example.com"]},
    "Content": {"Simple": {"Subject": {"Data": "Hello"}, "Body": {}}},
    "ConfigurationSetName": SET,
}


@pytest.fixture
def mail_stack(sandbox: Sandbox) -> Iterator[Stack]:
    """The stack of a seller who sends mail from an identity, by a configuration set."""
    aws = AwsClients(sandbox.aws_url)
    aws.client("sesv2").create_configuration_set(ConfigurationSetName=SET)
    with deploy(sandbox.aws_url, MailIdentityArn=SES_IDENTITY_ARN, SesConfigurationSet=SET) as stack:
        yield stack
    aws.client("sesv2").delete_configuration_set(ConfigurationSetName=SET)
    aws.close()


def told(kind: str, configuration_set: str = SET) -> dict[str, Any]:
    """Return an event of SES's about a mail that went by that configuration set."""
    event = bounce_event(Inbox().store({**ASKED, "ConfigurationSetName": configuration_set}), datetime.now(UTC))
    return {**event, "detail-type": kind}


def put(stack: Stack, *events: dict[str, Any]) -> None:
    for event in events:
        detail = json.dumps(event["detail"])
        entry: Any = {"Source": event["source"], "DetailType": event["detail-type"], "Detail": detail}
        assert stack.aws.events.put_events(Entries=[entry])["FailedEntryCount"] == 0


def test_every_kind_of_bounce_that_foyer_knows_arrives_and_is_understood(mail_stack: Stack) -> None:
    put(mail_stack, *map(told, get_args(bounces.SesEventKind)))

    arrived = [bounces.parse(json.dumps(event)) for event in mail_stack.receive_all()]

    assert sorted(bounce.kind for bounce in arrived if bounce) == sorted(get_args(bounces.SesEventKind))


@pytest.mark.parametrize("event", [told("Email Delivered"), told("Email Bounced", "another-set")])
def test_what_became_of_other_mails_does_not_arrive(mail_stack: Stack, event: dict[str, Any]) -> None:
    put(mail_stack, event)

    assert mail_stack.receive_all() == []


def test_ses_is_asked_to_tell_eventbridge_what_the_rule_waits_for(mail_stack: Stack) -> None:
    answer = mail_stack.aws.client("ses").describe_configuration_set(
        ConfigurationSetName=SET, ConfigurationSetAttributeNames=["eventDestinations"]
    )

    [destination] = answer["EventDestinations"]
    assert destination["Enabled"]
    assert sorted(destination["MatchingEventTypes"]) == ["bounce", "complaint", "reject", "renderingFailure"]


@pytest.mark.parametrize("queue", QUEUE_URLS)
def test_both_rules_may_send_to_the_queue(mail_stack: Stack, queue: str) -> None:
    assert sender_conditions(mail_stack, queue) == {
        "events.amazonaws.com": {"ArnEquals": {"aws:SourceArn": [RULE_ARN, MAIL_RULE]}}
    }


def test_what_cannot_be_delivered_is_set_aside(mail_stack: Stack) -> None:
    [target] = mail_stack.aws.events.list_targets_by_rule(Rule=f"{QUEUE_NAME}-ses")["Targets"]

    assert target["Arn"] == mail_stack.queue_arn
    assert target["DeadLetterConfig"] == {"Arn": f"{mail_stack.queue_arn}-dead-letters"}


def test_foyer_may_send_from_that_identity_by_that_set_and_look_at_both_rules(mail_stack: Stack) -> None:
    reach = {statement["Sid"]: statement["Resource"] for statement in policy_statements(mail_stack)}

    assert reach["SendMail"] == [SES_IDENTITY_ARN, f"arn:aws:ses:us-east-1:{ACCOUNT_ID}:configuration-set/{SET}"]
    assert reach["LetTheDoctorReadTheRule"] == [RULE_ARN, MAIL_RULE]


def test_an_identity_alone_is_enough_to_send(sandbox: Sandbox) -> None:
    with deploy(sandbox.aws_url, MailIdentityArn=SES_IDENTITY_ARN) as stack:
        reach = {statement["Sid"]: statement["Resource"] for statement in policy_statements(stack)}

        assert reach["SendMail"] == SES_IDENTITY_ARN
        assert stack.aws.events.list_rules(NamePrefix=QUEUE_NAME)["Rules"][1:] == []
