"""Reads from a queue's policy which services may send to it."""

from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any


@dataclass(frozen=True)
class AllowedSender:
    """A service that may send, or `*`, and the ARN pattern of the topic or rule for which it may."""

    service: str
    source_arn: str

    @property
    def topic_name(self) -> str | None:
        """The name of the SNS topic, where the ARN is one's."""
        return self.source_arn.rpartition(":")[2] if self.source_arn.split(":")[2:3] == ["sns"] else None

    def allows_rule(self, arn: str) -> bool:
        """Return whether this lets EventBridge send for the rule with that ARN."""
        return self.service in {"events.amazonaws.com", "*"} and fnmatchcase(arn, self.source_arn)


def allowed_senders(policy: dict[str, Any]) -> Iterator[AllowedSender]:
    """Yield the senders that the policy's Allow statements name. Deny statements are ignored.

    Follows https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements.html
    """
    for statement in _as_list(policy.get("Statement")):
        actions = [action.lower() for action in _as_list(statement.get("Action"))]
        if statement["Effect"] == "Allow" and any(fnmatchcase("sqs:sendmessage", action) for action in actions):
            for service in _principal_services(statement.get("Principal") or {}):
                yield from (AllowedSender(service, source) for source in _source_arns(statement.get("Condition", {})))


def _principal_services(principal: Any) -> list[str]:
    if principal == "*" or "*" in _as_list(principal.get("AWS")):
        return ["*"]
    return _as_list(principal.get("Service"))


def _source_arns(conditions: dict[str, dict[str, Any]]) -> list[str]:
    arns = [
        source
        for condition in conditions.values()
        for key, sources in condition.items()
        if key.lower() == "aws:sourcearn"
        for source in _as_list(sources)
    ]
    return arns or ["*"]


def _as_list(value: Any) -> list[Any]:
    # Nearly everything in a policy is one value or a list of them.
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
