"""What AWS says of the seller's set-up: whose credentials these are, whether they may resolve, and if events come."""

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

FAKE_TOKEN = "made-up-by-the-doctor"  # noqa: S105  # no secret: AWS has to refuse it
# What SQS says of a queue, or of a URL, that is not its own.
QUEUE_MISSING_CODES = {"AWS.SimpleQueueService.NonExistentQueue", "InvalidAddress", "QueueDoesNotExist"}


class AssumeRoleDenied(MarketplaceError):
    """AWS does not let the machine's credentials assume the role they are told to."""


class QueueMissing(MarketplaceError):
    """There is no queue at `EVENTS_QUEUE_URL`."""


class QueueAccessDenied(MarketplaceError):
    """The seller's AWS credentials may not read the attributes of the events' queue."""


class DeadLetterQueueMissing(MarketplaceError):
    """The events' queue names a dead-letter queue that does not exist."""


class DeadLetterQueueAccessDenied(MarketplaceError):
    """The seller's AWS credentials may not find the dead-letter queue."""


class RulesAccessDenied(MarketplaceError):
    """The seller's AWS credentials may not look at EventBridge's rules."""


@dataclass(frozen=True)
class CallerIdentity:
    """Whom AWS takes us for."""

    account_id: str
    arn: str


@dataclass(frozen=True)
class EventsQueue:
    """The queue at `EVENTS_QUEUE_URL`, its dead-letter queue's ARN if it has one, and who may send to it."""

    arn: str
    dead_letter_queue_arn: str | None
    allowed_senders: tuple[AllowedSender, ...]

    @property
    def region(self) -> str:
        """The Region that it is in."""
        return self.arn.split(":")[3]

    @property
    def topic_names(self) -> list[str]:
        """The names of the SNS topics that may send."""
        return [sender.topic_name for sender in self.allowed_senders if sender.topic_name]

    def allows_rule(self, rule: "EventRule") -> bool:
        """Return whether EventBridge may send for that rule."""
        return any(sender.allows(queue_policy.EVENTBRIDGE_SERVICE, rule.arn) for sender in self.allowed_senders)


@dataclass(frozen=True)
class EventRule:
    """A rule of EventBridge's default bus, and the events that it matches: of these sources and kinds."""

    name: str
    arn: str
    is_enabled: bool
    pattern: dict[str, Any]

    def matches(self, source: str, detail_type: str) -> bool:
        """Return whether an event of that kind goes where the rule sends it."""
        # A rule without a pattern is one that runs by the clock.
        return (
            bool(self.pattern)
            and _matches_pattern(self.pattern, "source", source)
            and _matches_pattern(self.pattern, "detail-type", detail_type)
        )


def get_caller_identity() -> CallerIdentity:
    """Return whose credentials these are: the role's, where `MARKETPLACE_ROLE_ARN` is set.

    Follows https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html

    Raises:
        RoleRefused, CredentialsRefused: the seller has to mend the set-up.
        Throttled, MarketplaceUnavailable: AWS could not be asked.
    """
    try:
        answer = clients.current().sts().get_caller_identity()
        return CallerIdentity(answer["Account"], answer["Arn"])
    except ClientError as error:
        raise _translate_caller_error(error) from error
    except errors.NO_RESPONSE_ERRORS as error:
        raise errors.from_missing_response(error) from error


def check_resolve_customer() -> str:
    """Have AWS refuse a made-up token, which it does only for who may resolve; return the URL where it did.

    Raises:
        RoleRefused, PermissionDenied, CredentialsRefused, ApiDisabled: the seller has to mend the set-up.
        Throttled, MarketplaceUnavailable: AWS could not be asked.
        IncompleteAnswer: what answered is not AWS.
    """
    try:
        resolve_customer.resolve_uncached(FAKE_TOKEN, time.monotonic() + resolve_customer.TIME_BUDGET_SECONDS)
    except (InvalidToken, ExpiredToken):
        return clients.current().metering(clients.OPERATOR_TIMEOUTS).meta.endpoint_url
    except PermissionDenied as error:
        raise (AssumeRoleDenied(error.code) if _is_assume_role_error(error.__cause__) else error) from error.__cause__
    raise IncompleteAnswer("Resolved")


def events_queue_url() -> str | None:
    """Return where the events' queue should be, if that was set."""
    found = queue.current()
    return found.url if found else None


def get_events_queue(url: str) -> EventsQueue:
    """Return the queue at that URL.

    Follows https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_GetQueueAttributes.html

    Raises:
        QueueMissing, QueueDenied, RoleRefused, CredentialsRefused: the seller has to mend the set-up.
        Throttled, MarketplaceUnavailable: AWS could not be asked.
    """
    with _translate_errors(QueueAccessDenied, QueueMissing):
        answer = (
            clients.current()
            .sqs(clients.OPERATOR_TIMEOUTS)
            .get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn", "RedrivePolicy", "Policy"])
        )
        attributes = answer["Attributes"]
        redrive, policy = (json.loads(attributes.get(name) or "{}") for name in ("RedrivePolicy", "Policy"))
        return EventsQueue(
            attributes["QueueArn"], redrive.get("deadLetterTargetArn"), tuple(queue_policy.allowed_senders(policy))
        )


def find_dead_letter_queue(arn: str) -> str:
    """Return the name of the dead-letter queue, having found it.

    Raises:
        DeadLettersMissing, DeadLettersDenied, RoleRefused, CredentialsRefused: the seller has to mend the set-up.
        Throttled, MarketplaceUnavailable: AWS could not be asked.
    """
    *_, account_id, name = arn.split(":")
    with _translate_errors(DeadLetterQueueAccessDenied, DeadLetterQueueMissing):
        clients.current().sqs(clients.OPERATOR_TIMEOUTS).get_queue_url(
            QueueName=name, QueueOwnerAWSAccountId=account_id
        )
    return name


def list_event_rules(events_queue: EventsQueue) -> list[EventRule]:
    """Return the rules that send to the queue.

    Follows https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_ListRuleNamesByTarget.html

    Raises:
        RulesDenied, RoleRefused, CredentialsRefused: the seller has to mend the set-up.
        Throttled, MarketplaceUnavailable: AWS could not be asked.
    """
    with _translate_errors(RulesAccessDenied, MarketplaceUnavailable):
        eventbridge = clients.current().eventbridge()
        pages = eventbridge.get_paginator("list_rule_names_by_target").paginate(TargetArn=events_queue.arn)
        found = [eventbridge.describe_rule(Name=name) for page in pages for name in page["RuleNames"]]
        return [
            EventRule(
                rule["Name"], rule["Arn"], rule["State"] != "DISABLED", json.loads(rule.get("EventPattern") or "{}")
            )
            for rule in found
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
    fault = errors.from_client_error(error)
    if _is_assume_role_error(error):
        return AssumeRoleDenied(fault.code) if isinstance(fault, PermissionDenied) else fault
    if fault.code in QUEUE_MISSING_CODES:
        return missing(fault.code)
    if isinstance(fault, PermissionDenied):
        return denied(fault.code)
    # The rest of what `faults` tells apart is said of registration tokens.
    return fault if isinstance(fault, CredentialsRefused | Throttled) else MarketplaceUnavailable(fault.code)


def _matches_pattern(pattern: dict[str, Any], field: str, value: str) -> bool:
    # https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html
    return field not in pattern or any(
        value.startswith(wanted.get("prefix", "\0")) if isinstance(wanted, dict) else wanted == value
        for wanted in pattern[field]
    )


def _translate_caller_error(error: ClientError) -> MarketplaceError:
    fault = errors.from_client_error(error)
    if not isinstance(fault, PermissionDenied):
        return fault
    # To ask who one is needs no permission.
    return AssumeRoleDenied(fault.code) if _is_assume_role_error(error) else CredentialsRefused(fault.code)


def _is_assume_role_error(error: BaseException | None) -> bool:
    return isinstance(error, ClientError) and error.operation_name == "AssumeRole"
