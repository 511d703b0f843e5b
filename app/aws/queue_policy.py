"""Who may send to a queue, as its policy has it."""

from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

EVENTBRIDGE = "events.amazonaws.com"


@dataclass(frozen=True)
class Sender:
    """Whom the queue's policy lets send: a service, or `*`, and the ARN of whatever it sends for, with wildcards."""

    service: str
    source: str

    @property
    def topic(self) -> str | None:
        """The name of the SNS topic that it sends for, if it is one."""
        return self.source.rpartition(":")[2] if self.source.split(":")[2:3] == ["sns"] else None

    def lets_in(self, service: str, arn: str) -> bool:
        """Return whether the service may send for what has that ARN."""
        return self.service in {service, "*"} and fnmatchcase(arn, self.source)


def of(policy: dict[str, Any]) -> Iterator[Sender]:
    """Return whom the policy lets send. What it denies is not looked at.

    Follows https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements.html
    """
    for statement in _listed(policy.get("Statement")):
        actions = [action.lower() for action in _listed(statement.get("Action"))]
        if statement["Effect"] == "Allow" and any(fnmatchcase("sqs:sendmessage", action) for action in actions):
            for service in _services(statement.get("Principal") or {}):
                yield from (Sender(service, source) for source in _sources(statement.get("Condition", {})))


def _services(principal: Any) -> list[str]:
    if principal == "*" or "*" in _listed(principal.get("AWS")):
        return ["*"]
    return _listed(principal.get("Service"))


def _sources(conditions: dict[str, dict[str, Any]]) -> list[str]:
    found = [
        source
        for condition in conditions.values()
        for key, sources in condition.items()
        if key.lower() == "aws:sourcearn"
        for source in _listed(sources)
    ]
    return found or ["*"]


def _listed(value: Any) -> list[Any]:
    # A policy has one or several of nearly everything.
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
