"""The template deployed into moto: queue policies, Foyer's IAM policy, the event rule, and the alarms."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.aws.event_kinds import DETAIL_TYPES, EVENTBRIDGE_SOURCE
from sandbox.server import Sandbox
from tests.support.cloudformation_stack import ACCOUNT_ID, QUEUE_NAME, TEMPLATE, AwsClients, Stack, deploy

RULE_ARN = f"arn:aws:events:us-east-1:{ACCOUNT_ID}:rule/{QUEUE_NAME}"
DEAD_LETTER_QUEUE_ARN = f"arn:aws:sqs:us-east-1:{ACCOUNT_ID}:{QUEUE_NAME}-dead-letters"
QUEUE_URLS = ["queue_url", "dead_letter_queue_url"]
APP = Path(__file__).parents[2] / "app"
SERVICES = {
    "sqs": "sqs",
    "events": "events",
    "meteringmarketplace": "aws-marketplace",
    "marketplace-entitlement": "aws-marketplace",
    "marketplace-catalog": "aws-marketplace",
    "sesv2": "ses",
}
LISTINGS_ARN = f"arn:aws:aws-marketplace:us-east-1:{ACCOUNT_ID}:AWSMarketplace/SaaSProduct/*"
SES_IDENTITY_ARN = f"arn:aws:ses:us-east-1:{ACCOUNT_ID}:identity/acme.example"


@pytest.fixture
def minimal_stack(sandbox: Sandbox) -> Iterator[Stack]:
    """The stack with the default value of every parameter."""
    with deploy(sandbox.aws_url) as stack:
        yield stack


@pytest.fixture
def roles(sandbox: Sandbox) -> Iterator[list[str]]:
    """The names of the IAM roles of the web process and the worker."""
    aws, names = AwsClients(sandbox.aws_url), ["foyer-pages", "foyer-worker"]
    iam = aws.client("iam")
    for name in names:
        iam.create_role(RoleName=name, AssumeRolePolicyDocument="{}")
    yield names
    for name in names:
        for policy in iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]:
            iam.detach_role_policy(RoleName=name, PolicyArn=policy["PolicyArn"])
        iam.delete_role(RoleName=name)
    aws.close()


def policy_statements(stack: Stack) -> list[Any]:
    """Return the statements of Foyer's IAM policy."""
    iam, arn = stack.aws.client("iam"), stack.outputs["PolicyArn"]
    version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
    document = iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"]
    statements: list[Any] = document["Statement"]
    return statements


def as_list(value: Any) -> list[Any]:
    """Return a policy's element as a list: a single value may stand without one."""
    return value if isinstance(value, list) else [value]


def sender_conditions(stack: Stack, queue: str) -> dict[str, Any]:
    """Return for each AWS service the condition under which it may send to the queue."""
    policy = stack.queue_attributes(getattr(stack, queue))["Policy"]
    allowing = [statement for statement in policy["Statement"] if statement["Effect"] == "Allow"]
    assert all(statement["Action"] == "sqs:SendMessage" for statement in allowing)
    assert all(list(statement["Principal"]) == ["Service"] for statement in allowing)
    return {statement["Principal"]["Service"]: statement["Condition"] for statement in allowing}


def actions_in_source(stack: Stack) -> set[str]:
    """Return the IAM action of every AWS operation that the source calls, itself or through a paginator."""
    source = "".join(path.read_text(encoding="utf-8") for path in (*APP.glob("aws/*.py"), APP / "mail" / "ses.py"))
    actions = set()
    for service, prefix in SERVICES.items():
        for method, operation in stack.aws.client(service).meta.method_to_api_mapping.items():
            if re.search(rf"\.{method}\(|get_paginator\(\"{method}\"\)", source):
                actions.add(f"{prefix}:{operation.removesuffix('Batch')}")
    return actions


def test_rule_matches_exactly_the_detail_types_that_foyer_applies(minimal_stack: Stack) -> None:
    rule = minimal_stack.aws.events.describe_rule(Name=QUEUE_NAME)

    pattern = json.loads(rule["EventPattern"])
    assert pattern.keys() == {"source", "detail-type"}
    assert pattern["source"] == [EVENTBRIDGE_SOURCE]
    assert sorted(pattern["detail-type"]) == sorted(DETAIL_TYPES)
    assert rule["State"] == "ENABLED"
    assert rule["EventBusName"] == "default"


def test_undeliverable_event_goes_to_the_dead_letter_queue(minimal_stack: Stack) -> None:
    [target] = minimal_stack.aws.events.list_targets_by_rule(Rule=QUEUE_NAME)["Targets"]

    assert target["Arn"] == minimal_stack.queue_arn
    assert target["DeadLetterConfig"] == {"Arn": DEAD_LETTER_QUEUE_ARN}


def test_queue_encrypts_retains_two_weeks_and_dead_letters_after_ten(
    minimal_stack: Stack,
) -> None:
    queue, dead_letters = (
        minimal_stack.queue_attributes(minimal_stack.queue_url),
        minimal_stack.queue_attributes(minimal_stack.dead_letter_queue_url),
    )

    assert queue["VisibilityTimeout"] == "60"
    assert queue["ReceiveMessageWaitTimeSeconds"] == "20"
    assert queue["RedrivePolicy"] == {"deadLetterTargetArn": DEAD_LETTER_QUEUE_ARN, "maxReceiveCount": 10}
    assert {queue["MessageRetentionPeriod"], dead_letters["MessageRetentionPeriod"]} == {str(14 * 24 * 3600)}
    # moto's queues are encrypted even without this property.
    assert TEMPLATE.read_text(encoding="utf-8").count("SqsManagedSseEnabled: true") == 2


@pytest.mark.parametrize("queue", QUEUE_URLS)
def test_only_the_rule_may_send_without_old_listings(minimal_stack: Stack, queue: str) -> None:
    assert sender_conditions(minimal_stack, queue) == {
        "events.amazonaws.com": {"ArnEquals": {"aws:SourceArn": RULE_ARN}}
    }


@pytest.mark.parametrize("queue", QUEUE_URLS)
def test_topics_of_old_listings_may_send_as_well(stack: Stack, listing_topics: list[str], queue: str) -> None:
    assert sender_conditions(stack, queue) == {
        "events.amazonaws.com": {"ArnEquals": {"aws:SourceArn": RULE_ARN}},
        "sns.amazonaws.com": {"ArnEquals": {"aws:SourceArn": listing_topics}},
    }


@pytest.mark.parametrize("queue", QUEUE_URLS)
def test_every_action_is_denied_without_tls(minimal_stack: Stack, queue: str) -> None:
    policy = minimal_stack.queue_attributes(getattr(minimal_stack, queue))["Policy"]

    [denial] = [statement for statement in policy["Statement"] if statement["Effect"] == "Deny"]
    assert denial["Principal"] == "*"
    assert denial["Action"] == "sqs:*"
    assert denial["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_topic_subscriptions_keep_the_envelope_and_dead_letter_failures(
    stack: Stack, listing_topics: list[str]
) -> None:
    for topic in listing_topics:
        [subscription] = stack.aws.sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
        attributes = stack.aws.sns.get_subscription_attributes(SubscriptionArn=subscription["SubscriptionArn"])[
            "Attributes"
        ]

        assert subscription["Protocol"] == "sqs"
        assert subscription["Endpoint"] == stack.queue_arn
        assert attributes.get("RawMessageDelivery", "false") == "false"
        assert DEAD_LETTER_QUEUE_ARN in attributes["RedrivePolicy"]


def test_policy_allows_exactly_the_actions_that_foyer_calls(sandbox: Sandbox) -> None:
    with deploy(sandbox.aws_url, MailIdentityArn=SES_IDENTITY_ARN) as stack:
        allowed = {action for statement in policy_statements(stack) for action in as_list(statement["Action"])}

        assert allowed == actions_in_source(stack)


def test_policy_allows_no_mail_without_an_identity(minimal_stack: Stack) -> None:
    assert "ses:SendEmail" not in {
        action for statement in policy_statements(minimal_stack) for action in as_list(statement["Action"])
    }


def test_policy_covers_only_own_queues_rule_and_listings(minimal_stack: Stack) -> None:
    resources = {
        action: statement["Resource"]
        for statement in policy_statements(minimal_stack)
        for action in as_list(statement["Action"])
    }

    assert all(statement["Effect"] == "Allow" for statement in policy_statements(minimal_stack))
    # These actions do not support resource-level permissions.
    assert {action for action, resource in resources.items() if resource == "*"} == {
        "aws-marketplace:ResolveCustomer",
        "aws-marketplace:GetEntitlements",
        "aws-marketplace:BatchMeterUsage",
        "aws-marketplace:ListEntities",
        "events:ListRuleNamesByTarget",
    }
    assert resources["aws-marketplace:DescribeEntity"] == LISTINGS_ARN
    assert set(resources.values()) == {"*", minimal_stack.queue_arn, DEAD_LETTER_QUEUE_ARN, RULE_ARN, LISTINGS_ARN}


def test_named_roles_get_the_policy(sandbox: Sandbox, roles: list[str]) -> None:
    with deploy(sandbox.aws_url, RoleNames=",".join(roles)) as stack:
        iam = stack.aws.client("iam")
        attached = [iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"] for role in roles]

    assert [[policy["PolicyArn"] for policy in policies] for policies in attached] == [[stack.outputs["PolicyArn"]]] * 2


def test_both_alarms_watch_the_queues_and_notify_the_topic(sandbox: Sandbox) -> None:
    topic = f"arn:aws:sns:us-east-1:{ACCOUNT_ID}:operators"

    with deploy(sandbox.aws_url, AlarmTopicArn=topic) as stack:
        names = [stack.outputs["DeadLettersAlarmName"], stack.outputs["WaitingEventsAlarmName"]]
        alarms = stack.aws.client("cloudwatch").describe_alarms(AlarmNames=names)["MetricAlarms"]

    watched = {alarm["MetricName"]: (alarm["Dimensions"][0]["Value"], alarm["Threshold"]) for alarm in alarms}
    assert watched == {
        "ApproximateNumberOfMessagesVisible": (f"{QUEUE_NAME}-dead-letters", 0),
        "ApproximateAgeOfOldestMessage": (QUEUE_NAME, 900),
    }
    assert all(alarm["AlarmActions"] == [topic] for alarm in alarms)
    assert all(alarm["TreatMissingData"] == "notBreaching" for alarm in alarms)
