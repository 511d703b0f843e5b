"""Makes a change set, shows it, asks, executes it and follows what it does."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from deploy import console, failures, planned_changes
from deploy.account import Account
from deploy.errors import DeployError
from deploy.planned_changes import Change
from deploy.progress import Follower
from deploy.stacks import Stack

NO_CHANGES = ("didn't contain changes", "No updates are to be performed")


@dataclass(frozen=True)
class Request:
    """A template for a stack. `values` are parameters that change; the others of `stack` stay as they are."""

    name: str
    template_body: str
    template: Mapping[str, Any]
    values: Mapping[str, str]
    stack: Stack | None
    region: str = ""


@dataclass(frozen=True)
class ChangeSet:
    """A change set that can be executed."""

    id: str
    stack_id: str
    is_new_stack: bool
    changes: list[Change]


def create(account: Account, request: Request, poll_seconds: float) -> ChangeSet | None:
    """Return a change set for the request; None if nothing would change.

    Raises:
        DeployError: CloudFormation refuses the template or the parameters.
    """
    client = account.client("cloudformation", request.region)
    is_new = request.stack is None
    arguments: dict[str, Any] = {"OnStackFailure": "DO_NOTHING"} if is_new else {}
    made = client.create_change_set(
        StackName=request.name,
        ChangeSetName=f"foyer-{datetime.now(UTC):%Y%m%d%H%M%S}",
        ChangeSetType="CREATE" if is_new else "UPDATE",
        TemplateBody=request.template_body,
        Parameters=parameters(request),
        Capabilities=["CAPABILITY_IAM"],
        **arguments,
    )
    found = client.describe_change_set(ChangeSetName=made["Id"])
    while found["Status"] in {"CREATE_PENDING", "CREATE_IN_PROGRESS"}:
        time.sleep(poll_seconds)
        found = client.describe_change_set(ChangeSetName=made["Id"])
    change_set = ChangeSet(made["Id"], made["StackId"], is_new, _read_changes(client, found))
    if found["Status"] == "FAILED":
        reason = found.get("StatusReason", "")
        details = _validation_details(client, made["Id"]) if "alidation" in reason else []
        discard(account, change_set, request.region)
        if any(words in reason for words in NO_CHANGES):
            return None
        if details:
            raise DeployError("AWS finds that the stack could not be made.", *details, aws_words=reason)
        raise failures.explain_reason(reason)
    return change_set


def parameters(request: Request) -> list[dict[str, Any]]:
    """Return the parameters to send: the new values, and for the others that the stack has, that they stay."""
    earlier = request.stack.parameters if request.stack else {}
    return [
        {"ParameterKey": name, "ParameterValue": request.values[name]}
        if name in request.values
        else {"ParameterKey": name, "UsePreviousValue": True}
        for name in request.template.get("Parameters", {})
        if name in request.values or name in earlier
    ]


def discard(account: Account, change_set: ChangeSet, region: str = "") -> None:
    """Delete a change set that is not executed, and the empty stack that CloudFormation made for it."""
    client = account.client("cloudformation", region)
    client.delete_change_set(ChangeSetName=change_set.id)
    if change_set.is_new_stack:
        client.delete_stack(StackName=change_set.stack_id)


def execute(
    account: Account,
    change_set: ChangeSet,
    follower: Follower,
    look: Callable[[Follower], None] = lambda _: None,
    *,
    goes_on: bool = False,
) -> Stack:
    """Execute the change set and return the stack as it is afterwards; `goes_on` on a stack that was left halfway.

    Raises:
        DeployError: Ctrl-C was pressed: AWS goes on.
    """
    arguments = {"DisableRollback": True} if goes_on else {}
    client = account.client("cloudformation", follower.region)
    try:
        client.execute_change_set(ChangeSetName=change_set.id, **arguments)
    except KeyboardInterrupt:
        raise follower.interrupted() from None
    return follower.follow(look)


def show(account: Account, change_set: ChangeSet, request: Request) -> None:
    """Print what the change set would do."""
    place = f"stack {request.name} ({request.region or account.region}, account {account.identity.account_id})"
    planned_changes.show(change_set.changes, place)


def refuse_loss(change_set: ChangeSet, request: Request) -> None:
    """Refuse to replace or remove the database, unless it is made from another snapshot and the name is typed.

    Raises:
        DeployError: the database would be lost.
    """
    endangered = planned_changes.endangered_databases(change_set.changes)
    if not endangered or request.stack is None:
        return
    snapshot = request.values.get("SnapshotId", "")
    [change, *_] = endangered
    causes = f" The cause is {console.listed(list(change.causes))}." if change.causes else ""
    if change.what == "may replace":
        console.confirm_by_name(f"AWS may replace the database by an empty one.{causes}", request.name)
    elif change.what == "remove" or not snapshot or snapshot == request.stack.parameters.get("SnapshotId", ""):
        raise DeployError(
            f"This would {change.what.lower()} the database, with everything in it.{causes} Nothing was changed.",
            "Leave out the parameter that causes it, or use the template that the stack was deployed with. To go back "
            'to a backup, name a snapshot: PARAMETERS="SnapshotId=...".',
        )
    else:
        console.confirm_by_name(
            f"The database is replaced by one made from the snapshot {snapshot}. What was stored after the snapshot is "
            "then missing. The present database stays, protected and outside the stack, until you delete it in RDS.",
            request.name,
        )


def _read_changes(client: Any, found: dict[str, Any]) -> list[Change]:
    changes = list(found.get("Changes", ()))
    while token := found.get("NextToken"):
        found = client.describe_change_set(ChangeSetName=found["ChangeSetId"], NextToken=token)
        changes += found.get("Changes", ())
    return [planned_changes.read(change) for change in changes if "ResourceChange" in change]


def _validation_details(client: Any, change_set_id: str) -> list[str]:
    events = client.describe_events(ChangeSetName=change_set_id).get("OperationEvents", ())
    return [
        f"{event.get('LogicalResourceId')}: {event.get('ValidationStatusReason')}"
        for event in events
        if event.get("ValidationStatus") == "FAILED"
    ]
