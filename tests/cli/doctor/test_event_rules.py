"""foyer doctor: the EventBridge rules that send to the events queue, and the policy that allows them."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from app.aws.event_kinds import DETAIL_TYPES, EVENTBRIDGE_SOURCE
from sandbox.server import Sandbox
from tests.cli.doctor.doctor_output import failed_checks, findings, run_doctor
from tests.support.cloudformation_stack import QUEUE_NAME, AwsClients, Stack, deploy
from tests.support.databases import on_sqlite
from tests.support.scripted_aws import AwsResponse, ScriptedAws

pytestmark = on_sqlite

TOPIC = "aws-mp-subscription-notification-oldcode123"


@pytest.fixture
def topic(sandbox: Sandbox) -> Iterator[str]:
    """The ARN of an old listing's topic."""
    aws = AwsClients(sandbox.aws_url)
    arn = aws.sns.create_topic(Name=TOPIC)["TopicArn"]
    yield arn
    aws.sns.delete_topic(TopicArn=arn)
    aws.close()


def put_rule(stack: Stack, pattern: dict[str, Any]) -> None:
    """Replace the rule's pattern."""
    stack.aws.events.put_rule(Name=QUEUE_NAME, EventPattern=json.dumps(pattern), State="ENABLED")


def set_policy(stack: Stack, statement: dict[str, Any]) -> None:
    """Replace the queue's policy with one statement."""
    policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Resource": "*", **statement}]}
    stack.aws.sqs.set_queue_attributes(QueueUrl=stack.queue_url, Attributes={"Policy": json.dumps(policy)})


def test_unreadable_rules_fail_with_the_permissions_to_add(stack: Stack, environment: pytest.MonkeyPatch) -> None:
    with ScriptedAws([AwsResponse(400, {"__type": "AccessDeniedException", "message": "No."})]) as eventbridge:
        environment.setenv("AWS_ENDPOINT_URL_EVENTBRIDGE", eventbridge.url)
        failures = failed_checks(run_doctor())

    assert list(failures) == ["event rules"]
    assert "Attach the policy of deploy/template.yaml" in failures["event rules"]
    assert "events:ListRuleNamesByTarget, and events:DescribeRule" in failures["event rules"]


def test_queue_without_a_rule_fails(stack: Stack) -> None:
    stack.aws.events.remove_targets(Rule=QUEUE_NAME, Ids=["events-queue"])

    failures = failed_checks(run_doctor())

    assert list(failures) == ["event rules"]
    assert "No EventBridge rule in us-east-1 sends to the queue" in failures["event rules"]


def test_queue_of_the_sandbox_needs_no_rule(sandbox: Sandbox, environment: pytest.MonkeyPatch) -> None:
    environment.setenv("EVENTS_QUEUE_URL", sandbox.queue_url)

    result = run_doctor()

    verdict, finding = findings(result)["event rules"]
    assert (result.exit_code, verdict) == (0, "warn"), result.stdout
    assert "The sandbox has no EventBridge rules" in finding


def test_old_listings_with_a_topic_need_no_rule(sandbox: Sandbox, environment: pytest.MonkeyPatch, topic: str) -> None:
    with deploy(sandbox.aws_url, TopicArn1=topic) as stack:
        environment.setenv("EVENTS_QUEUE_URL", stack.queue_url)
        with_rule = run_doctor()
        stack.aws.events.remove_targets(Rule=QUEUE_NAME, Ids=["events-queue"])
        without_rule = run_doctor()

    assert failed_checks(with_rule) == failed_checks(without_rule) == {}
    assert f"all 8 kinds of events. SNS topics of old listings: {TOPIC}." in findings(with_rule)["event rules"][1]
    assert f"SNS topics of old listings: {TOPIC}. There is no rule" in findings(without_rule)["event rules"][1]


def test_disabled_rule_fails_with_the_command_to_enable_it(stack: Stack) -> None:
    stack.aws.events.disable_rule(Name=QUEUE_NAME)

    failures = failed_checks(run_doctor())

    assert list(failures) == ["event rules"]
    assert all(kind in failures["event rules"] for kind in DETAIL_TYPES)
    assert f"`aws events enable-rule --region us-east-1 --name {QUEUE_NAME}`" in failures["event rules"]


def test_event_kinds_that_no_rule_matches_are_listed(stack: Stack) -> None:
    put_rule(
        stack,
        {
            "source": [EVENTBRIDGE_SOURCE],
            "detail-type": sorted(kind for kind in DETAIL_TYPES if "Proposer" not in kind),
        },
    )

    failures = failed_checks(run_doctor())

    assert list(failures) == ["event rules"]
    assert (
        "Amended - Proposer, Purchase Agreement Created - Proposer, Purchase Agreement Ended - Proposer. Deploy"
        in (failures["event rules"])
    )
    assert "Manufacturer" not in failures["event rules"]


def test_rule_for_another_source_does_not_count(stack: Stack) -> None:
    put_rule(stack, {"source": ["aws.marketplacecatalog"], "detail-type": sorted(DETAIL_TYPES)})

    assert list(failed_checks(run_doctor())) == ["event rules"]


@pytest.mark.parametrize(
    "pattern",
    [
        {"source": [EVENTBRIDGE_SOURCE]},
        {"source": [{"prefix": "aws."}], "detail-type": [{"prefix": "Purchase Agreement "}, {"prefix": "License "}]},
    ],
    ids=["every kind", "by their beginning"],
)
def test_sellers_own_broader_rule_passes(stack: Stack, pattern: dict[str, Any]) -> None:
    put_rule(stack, pattern)

    assert failed_checks(run_doctor()) == {}


@pytest.mark.parametrize(
    "statement",
    [
        {"Principal": {"Service": "sqs.amazonaws.com"}, "Action": "sqs:SendMessage"},
        {"Principal": {"Service": "events.amazonaws.com"}, "Action": "sqs:ReceiveMessage"},
        {
            "Principal": {"Service": "events.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Condition": {"ArnLike": {"AWS:SourceArn": "arn:aws:events:us-east-1:*:rule/another-*"}},
        },
        {
            "Effect": "Deny",
            "Principal": "*",
            "Action": "sqs:*",
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        },
    ],
    ids=["another service", "another action", "another rule", "a refusal"],
)
def test_queue_policy_that_blocks_the_rule_fails(stack: Stack, statement: dict[str, Any]) -> None:
    set_policy(stack, statement)

    failures = failed_checks(run_doctor())

    assert list(failures) == ["event rules"]
    assert "does not let events.amazonaws.com send for arn:aws:events:us-east-1:" in failures["event rules"]


@pytest.mark.parametrize(
    "statement",
    [
        {"Principal": {"Service": ["events.amazonaws.com", "sns.amazonaws.com"]}, "Action": ["SQS:SendMessage"]},
        {
            "Principal": {"AWS": "*"},
            "Action": "sqs:*",
            "Condition": {"ArnLike": {"AWS:SourceArn": ["arn:aws:events:us-east-1:*:rule/acme-*"]}},
        },
    ],
    ids=["any rule", "everybody from this rule"],
)
def test_sellers_own_policy_that_allows_the_rule_passes(stack: Stack, statement: dict[str, Any]) -> None:
    set_policy(stack, statement)

    assert failed_checks(run_doctor()) == {}


def test_queue_without_a_policy_fails(stack: Stack) -> None:
    stack.aws.sqs.set_queue_attributes(QueueUrl=stack.queue_url, Attributes={"Policy": ""})

    assert list(failed_checks(run_doctor())) == ["event rules"]
