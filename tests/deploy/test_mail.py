"""The stack with a configuration set: its queue receives SES's events about mails that were not delivered."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, get_args

import pytest

from app.services.outbox import bounces
from sandbox import mail_requests
from sandbox.inbox import Inbox, bounce_event
from sandbox.server import Sandbox
from tests.deploy.test_template import QUEUE_URLS, RULE_ARN, SES_IDENTITY_ARN, policy_statements, sender_conditions
from tests.support.cloudformation_stack import ACCOUNT_ID, QUEUE_NAME, AwsClients, Stack, deploy

CONFIGURATION_SET, MAIL_RULE = "acme-mail", f"{RULE_ARN}-ses"
SEND_REQUEST = {
    "FromEmailAddress": "start@acme.example",
    "Destination": {"ToAddresses": ["ada@example.com"]},
    "Content": {"Simple": {"Subject": {"Data": "Hello"}, "Body": {}}},
    "ConfigurationSetName": CONFIGURATION_SET,
}


@pytest.fixture
def mail_stack(sandbox: Sandbox) -> Iterator[Stack]:
    """The stack of a seller who sends mail from an SES identity with a configuration set."""
    aws = AwsClients(sandbox.aws_url)
    aws.client("sesv2").create_configuration_set(ConfigurationSetName=CONFIGURATION_SET)
    with deploy(sandbox.aws_url, MailIdentityArn=SES_IDENTITY_ARN, SesConfigurationSet=CONFIGURATION_SET) as stack:
        yield stack
    aws.client("sesv2").delete_configuration_set(ConfigurationSetName=CONFIGURATION_SET)
    aws.close()


def ses_event(kind: str, configuration_set: str = CONFIGURATION_SET) -> dict[str, Any]:
    """Return SES's event about a mail sent with that configuration set."""
    sent = mail_requests.read_new_request({**SEND_REQUEST, "ConfigurationSetName": configuration_set})
    event = bounce_event(Inbox().store(sent), datetime.now(UTC))
    return {**event, "detail-type": kind}


def put_events(stack: Stack, *events: dict[str, Any]) -> None:
    for event in events:
        stack.put_event(event["source"], event["detail-type"], event["detail"])


def test_every_supported_bounce_event_arrives_and_is_parsed(mail_stack: Stack) -> None:
    put_events(mail_stack, *map(ses_event, get_args(bounces.SesEventKind)))

    parsed = [bounces.parse(event) for event in mail_stack.receive_all()]

    assert sorted(bounce.kind for bounce in parsed if bounce) == sorted(get_args(bounces.SesEventKind))


@pytest.mark.parametrize("event", [ses_event("Email Delivered"), ses_event("Email Bounced", "another-set")])
def test_other_ses_events_do_not_arrive(mail_stack: Stack, event: dict[str, Any]) -> None:
    put_events(mail_stack, event)

    assert mail_stack.receive_all() == []


def test_ses_sends_eventbridge_the_events_that_the_rule_matches(mail_stack: Stack) -> None:
    response = mail_stack.aws.client("ses").describe_configuration_set(
        ConfigurationSetName=CONFIGURATION_SET, ConfigurationSetAttributeNames=["eventDestinations"]
    )

    [destination] = response["EventDestinations"]
    assert destination["Enabled"]
    assert sorted(destination["MatchingEventTypes"]) == ["bounce", "complaint", "reject", "renderingFailure"]


@pytest.mark.parametrize("queue", QUEUE_URLS)
def test_both_rules_may_send_to_the_queue(mail_stack: Stack, queue: str) -> None:
    assert sender_conditions(mail_stack, queue) == {
        "events.amazonaws.com": {"ArnEquals": {"aws:SourceArn": [RULE_ARN, MAIL_RULE]}}
    }


def test_undeliverable_ses_event_goes_to_the_dead_letter_queue(mail_stack: Stack) -> None:
    [target] = mail_stack.aws.events.list_targets_by_rule(Rule=f"{QUEUE_NAME}-ses")["Targets"]

    assert target["Arn"] == mail_stack.queue_arn
    assert target["DeadLetterConfig"] == {"Arn": f"{mail_stack.queue_arn}-dead-letters"}


def test_policy_allows_sending_mail_and_reading_both_rules(mail_stack: Stack) -> None:
    resources = {statement["Sid"]: statement["Resource"] for statement in policy_statements(mail_stack)}

    assert resources["SendMail"] == [
        SES_IDENTITY_ARN,
        f"arn:aws:ses:us-east-1:{ACCOUNT_ID}:configuration-set/{CONFIGURATION_SET}",
    ]
    assert resources["DoctorReadsRule"] == [RULE_ARN, MAIL_RULE]


def test_policy_allows_sending_mail_without_a_configuration_set(sandbox: Sandbox) -> None:
    with deploy(sandbox.aws_url, MailIdentityArn=SES_IDENTITY_ARN) as stack:
        resources = {statement["Sid"]: statement["Resource"] for statement in policy_statements(stack)}

        assert resources["SendMail"] == SES_IDENTITY_ARN
        assert stack.aws.events.list_rules(NamePrefix=QUEUE_NAME)["Rules"][1:] == []
