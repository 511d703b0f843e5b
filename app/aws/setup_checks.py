"""Checks the seller's AWS set-up for `doctor`: the credentials, ResolveCustomer, the queue and its event rules.

Each function raises the errors below for what it checks, AssumeRoleDenied or CredentialsRefused for the credentials:
the seller has to change the set-up. Where AWS fails or cannot be reached it raises Throttled or MarketplaceUnavailable.
"""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from app import deadline, errors
from app.aws import clients, queue, queue_policy, resolve_customer
from app.aws.queue_policy import AllowedSender
from app.errors import MarketplaceError

FAKE_TOKEN = "made-up-by-the-doctor"  # noqa: S105  # not a secret: AWS has to refuse it
# SQS sends these for a queue that does not exist, and for a URL that is no queue's.
QUEUE_MISSING_CODES = {"AWS.SimpleQueueService.NonExistentQueue", "InvalidAddress", "QueueDoesNotExist"}
# The id of the policy of the sandbox's queue.
SANDBOX_POLICY_ID = "pretend-aws-marketplace"

PASSED_ON = (errors.CredentialsRefused, errors.SetupInvalid, errors.Throttled)


class AssumeRoleDenied(MarketplaceError):
    """The machine's credentials may not assume the role at `MARKETPLACE_ROLE_ARN`."""


class QueueMissing(MarketplaceError):
    """There is no queue at `EVENTS_QUEUE_URL`."""


class QueueAccessDenied(MarketplaceError):
    """The seller's AWS credentials may not read the attributes of the events' queue."""


class DeadLetterQueueMissing(MarketplaceError):
    """The events' queue refers to a dead-letter queue that does not exist."""


class DeadLetterQueueAccessDenied(MarketplaceError):
    """The seller's AWS credentials may not find the dead-letter queue."""


class RulesAccessDenied(MarketplaceError):
    """The seller's AWS credentials may not read EventBridge's rules."""


@dataclass(frozen=True)
class EventsQueue:
    """The queue at `EVENTS_QUEUE_URL`, its dead-letter queue, and the services that may send to it.

    The pretend AWS Marketplace sends to its own queue without a rule.
    """

    arn: str
    dead_letter_queue_arn: str | None
    allowed_senders: tuple[AllowedSender, ...]
    is_sandbox: bool = False

    @property
    def region(self) -> str:
        """The Region in the queue's ARN."""
        return self.arn.split(":")[3]

    @property
    def topic_names(self) -> list[str]:
        """The names of the SNS topics that may send to the queue."""
        return [sender.topic_name for sender in self.allowed_senders if sender.topic_name]

    def allows_rule(self, rule: "EventRule") -> bool:
        """Return whether the queue's policy lets EventBridge send for the rule."""
        return any(sender.allows_rule(rule.arn) for sender in self.allowed_senders)


@dataclass(frozen=True)
class EventRule:
    """A rule of EventBridge's default bus, with its event pattern."""

    name: str
    arn: str
    is_enabled: bool
    pattern: dict[str, Any]

    def matches(self, source: str, detail_type: str) -> bool:
        """Return whether the rule's pattern matches events of that source and type."""
        fields = {"source": source, "detail-type": detail_type}
        # A rule without a pattern runs on a schedule.
        return bool(self.pattern) and all(
            _matches_any(self.pattern[field], value) for field, value in fields.items() if field in self.pattern
        )


def get_caller_identity() -> tuple[str, str]:
    """Return the account and the ARN of the credentials: the role's, where `MARKETPLACE_ROLE_ARN` is set.

    Follows https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html
    """
    # GetCallerIdentity needs no permission, so a refusal is about the credentials.
    with translate_setup_errors(errors.CredentialsRefused, errors.MarketplaceUnavailable):
        response = clients.current().sts().get_caller_identity()
        return response["Account"], response["Arn"]


def check_resolve_customer() -> str:
    """Send AWS a made-up token, and return the URL that refused it.

    AWS checks permissions before the token, so that refusal shows that the credentials may call ResolveCustomer.

    Raises:
        PermissionDenied, ApiDisabled: the seller has to change the set-up.
        IncompleteAnswer: the endpoint is not AWS's.
    """
    try:
        resolve_customer.resolve_uncached(FAKE_TOKEN, time.monotonic() + deadline.seconds_before_database())
    except (errors.InvalidToken, errors.ExpiredToken):
        return clients.current().metering(clients.OPERATOR_TIMEOUTS).meta.endpoint_url
    except errors.PermissionDenied as error:
        raise (AssumeRoleDenied(error.code) if _is_about_role(error) else error) from error.__cause__
    raise errors.IncompleteAnswer("Resolved")


def get_events_queue() -> EventsQueue | None:
    """Return the events' queue with its attributes, or None where `EVENTS_QUEUE_URL` is not set.

    Follows https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_GetQueueAttributes.html
    """
    if (events_queue := queue.current()) is None:
        return None
    with translate_setup_errors(QueueAccessDenied, QueueMissing):
        sqs, url = clients.current().sqs(clients.OPERATOR_TIMEOUTS), events_queue.url
        response = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn", "RedrivePolicy", "Policy"])
        attributes = response["Attributes"]
        redrive, policy = (json.loads(attributes.get(name) or "{}") for name in ("RedrivePolicy", "Policy"))
        return EventsQueue(
            attributes["QueueArn"],
            redrive.get("deadLetterTargetArn"),
            tuple(queue_policy.allowed_senders(policy)),
            is_sandbox=policy.get("Id") == SANDBOX_POLICY_ID,
        )


def find_dead_letter_queue(arn: str) -> str:
    """Return the name of the dead-letter queue at the ARN, after a check that it exists."""
    *_, account_id, name = arn.split(":")
    with translate_setup_errors(DeadLetterQueueAccessDenied, DeadLetterQueueMissing):
        sqs = clients.current().sqs(clients.OPERATOR_TIMEOUTS)
        sqs.get_queue_url(QueueName=name, QueueOwnerAWSAccountId=account_id)
    return name


def list_event_rules(events_queue: EventsQueue) -> list[EventRule]:
    """Return the rules that send to the queue.

    Follows https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_ListRuleNamesByTarget.html
    """
    with translate_setup_errors(RulesAccessDenied, errors.MarketplaceUnavailable):
        eventbridge = clients.current().eventbridge()
        pages = eventbridge.get_paginator("list_rule_names_by_target").paginate(TargetArn=events_queue.arn)
        rules = [eventbridge.describe_rule(Name=name) for page in pages for name in page["RuleNames"]]
        return [
            EventRule(
                rule["Name"], rule["Arn"], rule["State"] != "DISABLED", json.loads(rule.get("EventPattern") or "{}")
            )
            for rule in rules
        ]


@contextmanager
def translate_setup_errors(denied: type[MarketplaceError], missing: type[MarketplaceError]) -> Iterator[None]:
    """Turn the errors of the AWS calls in the block into ours, none of which is about a registration token.

    A refusal becomes `denied`, an unknown queue `missing`.
    """
    try:
        with clients.translate_errors():
            yield
    except MarketplaceError as error:
        is_about_role, kind = _is_about_role(error), type(error)
        if error.code in QUEUE_MISSING_CODES:
            kind = missing
        elif isinstance(error, errors.PermissionDenied):
            kind = AssumeRoleDenied if is_about_role else denied
        # The other errors of `from_client_error` are about registration tokens.
        elif not is_about_role and not isinstance(error, PASSED_ON):
            kind = errors.MarketplaceUnavailable
        raise kind(error.code) from error.__cause__


def _is_about_role(error: MarketplaceError) -> bool:
    cause = error.__cause__
    return isinstance(cause, ClientError) and cause.operation_name == "AssumeRole"


def _matches_any(conditions: list[Any], value: str) -> bool:
    # https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html
    return any(
        value.startswith(condition.get("prefix", "\0")) if isinstance(condition, dict) else condition == value
        for condition in conditions
    )
