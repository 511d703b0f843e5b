"""Checks the seller's AWS set-up for `doctor`: the credentials, ResolveCustomer, the queue and its event rules."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from app.aws import clients, errors, queue, queue_policy, resolve_customer
from app.aws.queue_policy import AllowedSender
from app.errors import (
    CredentialsRefused,
    ExpiredToken,
    IncompleteAnswer,
    InvalidToken,
    MarketplaceError,
    MarketplaceUnavailable,
    PermissionDenied,
    Throttled,
)

FAKE_TOKEN = "made-up-by-the-doctor"  # noqa: S105  # not a secret: AWS has to refuse it
# SQS sends these for a queue that does not exist, and for a URL that is no queue's.
QUEUE_MISSING_CODES = {"AWS.SimpleQueueService.NonExistentQueue", "InvalidAddress", "QueueDoesNotExist"}


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
class CallerIdentity:
    """The AWS account and the user or role that the credentials belong to."""

    account_id: str
    arn: str


@dataclass(frozen=True)
class EventsQueue:
    """The queue at `EVENTS_QUEUE_URL`, its dead-letter queue, and the services that may send to it."""

    arn: str
    dead_letter_queue_arn: str | None
    allowed_senders: tuple[AllowedSender, ...]

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
        return any(sender.allows(queue_policy.EVENTBRIDGE_SERVICE, rule.arn) for sender in self.allowed_senders)


@dataclass(frozen=True)
class EventRule:
    """A rule of EventBridge's default bus, with its event pattern."""

    name: str
    arn: str
    is_enabled: bool
    pattern: dict[str, Any]

    def matches(self, source: str, detail_type: str) -> bool:
        """Return whether the rule's pattern matches events of that source and type."""
        # A rule without a pattern runs on a schedule.
        return (
            bool(self.pattern)
            and _matches_pattern(self.pattern, "source", source)
            and _matches_pattern(self.pattern, "detail-type", detail_type)
        )


def get_caller_identity() -> CallerIdentity:
    """Return the identity of the credentials: the role's, where `MARKETPLACE_ROLE_ARN` is set.

    Follows https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html

    Raises:
        AssumeRoleDenied, CredentialsRefused: the seller has to change the set-up.
        Throttled, MarketplaceUnavailable: AWS could not be reached, or failed.
    """
    try:
        response = clients.current().sts().get_caller_identity()
        return CallerIdentity(response["Account"], response["Arn"])
    except ClientError as error:
        raise _translate_caller_error(error) from error
    except errors.NO_RESPONSE_ERRORS as error:
        raise errors.from_missing_response(error) from error


def check_resolve_customer() -> str:
    """Send AWS a made-up token, and return the URL that refused it.

    AWS checks permissions before the token, so that refusal shows that the credentials may call ResolveCustomer.

    Raises:
        AssumeRoleDenied, PermissionDenied, CredentialsRefused, ApiDisabled: the seller has to change the set-up.
        Throttled, MarketplaceUnavailable: AWS could not be reached, or failed.
        IncompleteAnswer: the endpoint is not AWS's.
    """
    try:
        resolve_customer.resolve_uncached(FAKE_TOKEN, time.monotonic() + resolve_customer.TIME_BUDGET_SECONDS)
    except (InvalidToken, ExpiredToken):
        return clients.current().metering(clients.OPERATOR_TIMEOUTS).meta.endpoint_url
    except PermissionDenied as error:
        raise (AssumeRoleDenied(error.code) if _is_assume_role_error(error.__cause__) else error) from error.__cause__
    raise IncompleteAnswer("Resolved")


def events_queue_url() -> str | None:
    """Return `EVENTS_QUEUE_URL`, if it is set."""
    events_queue = queue.current()
    return events_queue.url if events_queue else None


def get_events_queue(url: str) -> EventsQueue:
    """Return the queue at the URL, with its attributes.

    Follows https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_GetQueueAttributes.html

    Raises:
        QueueMissing, QueueAccessDenied, AssumeRoleDenied, CredentialsRefused: the seller has to change the set-up.
        Throttled, MarketplaceUnavailable: AWS could not be reached, or failed.
    """
    with _translate_errors(QueueAccessDenied, QueueMissing):
        sqs = clients.current().sqs(clients.OPERATOR_TIMEOUTS)
        response = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn", "RedrivePolicy", "Policy"])
        attributes = response["Attributes"]
        redrive, policy = (json.loads(attributes.get(name) or "{}") for name in ("RedrivePolicy", "Policy"))
        return EventsQueue(
            attributes["QueueArn"], redrive.get("deadLetterTargetArn"), tuple(queue_policy.allowed_senders(policy))
        )


def find_dead_letter_queue(arn: str) -> str:
    """Return the name of the dead-letter queue at the ARN, after a check that it exists.

    Raises:
        DeadLetterQueueMissing, DeadLetterQueueAccessDenied, AssumeRoleDenied, CredentialsRefused: the seller has to
            change the set-up.
        Throttled, MarketplaceUnavailable: AWS could not be reached, or failed.
    """
    *_, account_id, name = arn.split(":")
    with _translate_errors(DeadLetterQueueAccessDenied, DeadLetterQueueMissing):
        sqs = clients.current().sqs(clients.OPERATOR_TIMEOUTS)
        sqs.get_queue_url(QueueName=name, QueueOwnerAWSAccountId=account_id)
    return name


def list_event_rules(events_queue: EventsQueue) -> list[EventRule]:
    """Return the rules that send to the queue.

    Follows https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_ListRuleNamesByTarget.html

    Raises:
        RulesAccessDenied, AssumeRoleDenied, CredentialsRefused: the seller has to change the set-up.
        Throttled, MarketplaceUnavailable: AWS could not be reached, or failed.
    """
    with _translate_errors(RulesAccessDenied, MarketplaceUnavailable):
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
def _translate_errors(denied: type[MarketplaceError], missing: type[MarketplaceError]) -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        raise _translate_events_error(error, denied, missing) from error
    except errors.NO_RESPONSE_ERRORS as error:
        raise errors.from_missing_response(error) from error


def _translate_events_error(
    error: ClientError, denied: type[MarketplaceError], missing: type[MarketplaceError]
) -> MarketplaceError:
    named = errors.from_client_error(error)
    if _is_assume_role_error(error):
        return AssumeRoleDenied(named.code) if isinstance(named, PermissionDenied) else named
    if named.code in QUEUE_MISSING_CODES:
        return missing(named.code)
    if isinstance(named, PermissionDenied):
        return denied(named.code)
    # The other errors of `errors.from_client_error` are about registration tokens.
    return named if isinstance(named, CredentialsRefused | Throttled) else MarketplaceUnavailable(named.code)


def _matches_pattern(pattern: dict[str, Any], field: str, value: str) -> bool:
    # https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html
    return field not in pattern or any(
        value.startswith(item.get("prefix", "\0")) if isinstance(item, dict) else item == value
        for item in pattern[field]
    )


def _translate_caller_error(error: ClientError) -> MarketplaceError:
    named = errors.from_client_error(error)
    if not isinstance(named, PermissionDenied):
        return named
    # GetCallerIdentity needs no permission, so the refusal is about the credentials.
    return AssumeRoleDenied(named.code) if _is_assume_role_error(error) else CredentialsRefused(named.code)


def _is_assume_role_error(error: BaseException | None) -> bool:
    return isinstance(error, ClientError) and error.operation_name == "AssumeRole"
