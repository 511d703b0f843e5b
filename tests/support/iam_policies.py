"""Compares calls to AWS with the statements of a policy, as IAM does with `Allow`, actions and resources."""

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from tests.support.recorded_aws import AwsCall


@dataclass(frozen=True)
class Allowance:
    """One action of a statement on one resource; either may have wildcards."""

    action: str
    resource: str

    def allows(self, action: str, resource: str) -> bool:
        """Return whether the action is allowed on the resource, or without one."""
        return fnmatchcase(action.lower(), self.action.lower()) and fnmatchcase(resource, self.resource)


def allowances(statements: Iterable[dict[str, Any]]) -> list[Allowance]:
    """Return what the statements allow; AssertionError if one denies or has a condition."""
    found: list[Allowance] = []
    for statement in statements:
        assert statement["Effect"] == "Allow"
        assert statement.keys() <= {"Sid", "Effect", "Action", "Resource"}
        found += [
            Allowance(action, resource)
            for action in as_list(statement["Action"])
            for resource in as_list(statement["Resource"])
        ]
    return found


def as_list(value: Any) -> list[Any]:
    """Return a policy's element as a list: a single value may stand without one."""
    return value if isinstance(value, list) else [value]


def denied(allowed: list[Allowance], calls: Iterable[AwsCall]) -> set[tuple[str, str]]:
    """Return the action and resource of what a call needs and nothing allows."""
    return {
        need for call in calls for need in _needs(call) if not any(allowance.allows(*need) for allowance in allowed)
    }


def unused(allowed: list[Allowance], calls: Iterable[AwsCall]) -> list[Allowance]:
    """Return what is allowed and no call needs."""
    needs = {need for call in calls for need in _needs(call)}
    return [allowance for allowance in allowed if not any(allowance.allows(*need) for need in needs)]


def _needs(call: AwsCall) -> list[tuple[str, str]]:
    # What knows no resources is allowed by "*" alone.
    return [(call.action, resource) for resource in call.resources or ("no resource",)]
