"""Reads out of AWS's message which action was denied, to whom and by what, and writes the statement that allows it."""

import json
import re
from dataclasses import dataclass

from deploy.errors import DeployError

ACTION = re.compile(
    r"(?:not authorized to perform:? *|API: *|not authorized to call )(?P<action>[a-z0-9-]+:[A-Za-z0-9]+)"
)
RESOURCE = re.compile(r"on resource:? *[\"']?(?P<arn>arn:[^\s\"',)]+)")
CALLER = re.compile(r"User:? *[\"']?(?P<arn>arn:[^\s\"',]+)")
DENIED = re.compile(
    r"AccessDenied|UnauthorizedOperation|not authorized to (?:perform|call)|Access Denied|AuthorizationError",
    re.IGNORECASE,
)
# Not the caller's own policies, but another one says no; by AWS's words for it.
OTHER_POLICIES = {
    "service control policy": "a service control policy (SCP) of your organization",
    "resource control policy": "a resource control policy (RCP) of your organization",
    "permissions boundary": "the permissions boundary of this user or role",
    "session policy": "the policy of this session",
    "VPC endpoint policy": "the policy of a VPC endpoint",
}


@dataclass(frozen=True)
class Denial:
    """One denied call. `caller` is empty where AWS does not name it."""

    action: str
    resource: str
    caller: str
    other_policy: str
    is_explicit: bool

    @property
    def statement(self) -> str:
        """The statement that allows the action, in JSON."""
        return json.dumps({"Effect": "Allow", "Action": self.action, "Resource": self.resource}, indent=2)


def read(message: str, action: str = "") -> Denial | None:
    """Return what was denied; None if the message is of something else. `action` is used where it names none."""
    if not DENIED.search(message):
        return None
    named, resource, caller = ACTION.search(message), RESOURCE.search(message), CALLER.search(message)
    return Denial(
        action=named["action"] if named else action,
        resource=resource["arn"].rstrip(".") if resource else "*",
        caller=caller["arn"] if caller else "",
        other_policy=next((words for key, words in OTHER_POLICIES.items() if key in message), ""),
        is_explicit="explicit deny" in message,
    )


def explain(denial: Denial, message: str) -> DeployError:
    """Return the error that says who has to allow what."""
    what = f"AWS denied {denial.action or 'a call'} to {denial.caller or 'these credentials'}."
    if denial.other_policy:
        return DeployError(
            f"{what} The reason is {denial.other_policy}.",
            "A statement in your own policies does not help. Ask whoever manages that policy to allow "
            f"{denial.action or 'it'}.",
            aws_words=message,
        )
    if denial.is_explicit:
        return DeployError(
            f"{what} One of its policies denies it explicitly.",
            f"Remove the statement that denies {denial.action}, or use other credentials (AWS_PROFILE=...).",
            aws_words=message,
        )
    if not denial.action:
        return DeployError(
            what, "Use credentials of an administrator, or ask one which permission is missing.", aws_words=message
        )
    statement = "\n".join(f"    {line}" for line in denial.statement.splitlines())
    return DeployError(
        what,
        f"Add this statement to a policy of that user or role, or use other credentials (AWS_PROFILE=...). "
        f"Then run the same command again:\n{statement}",
        aws_words=message,
    )
