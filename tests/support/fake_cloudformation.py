"""A CloudFormation whose operations take time and fail as a test says; moto's are done at once, and never fail."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore import xform_name

from deploy import templates
from tests.support.fake_aws_account import ACCOUNT_ID, AwsError, Call, FakeAwsAccount

STACK_TYPE = "AWS::CloudFormation::Stack"
STARTED_AT = datetime(2026, 11, 29, 12, tzinfo=UTC)
OPERATIONS = (
    "DescribeStacks",
    "DescribeStackEvents",
    "ListStackResources",
    "CreateChangeSet",
    "DescribeChangeSet",
    "ExecuteChangeSet",
    "DeleteChangeSet",
    "DeleteStack",
    "GetTemplate",
    "CancelUpdateStack",
    "ContinueUpdateRollback",
)
EVENTS_OF_A_PAGE = 100
PARAMETER = re.compile(r"Parameters\.member\.(\d+)\.ParameterKey")


@dataclass(frozen=True)
class Event:
    """What happens to a resource, `seconds` after the one before."""

    name: str
    type: str
    status: str
    reason: str = ""
    seconds: int = 5


@dataclass
class Plan:
    """What an operation does: events, those of a step seen with each look, and the status that it ends in."""

    steps: list[list[Event]] = field(default_factory=list)
    status: str = ""
    outputs: dict[str, str] = field(default_factory=dict)


@dataclass
class FakeStack:
    """A stack of one Region."""

    name: str
    region: str
    status: str
    parameters: dict[str, str] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=dict)
    template: str = ""
    resources: list[Event] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    plan: Plan | None = None

    @property
    def id(self) -> str:
        return f"arn:aws:cloudformation:{self.region}:{ACCOUNT_ID}:stack/{self.name}/1"

    def describe(self) -> dict[str, Any]:
        return {
            "StackId": self.id,
            "StackName": self.name,
            "StackStatus": self.status,
            "CreationTime": STARTED_AT,
            "Parameters": [{"ParameterKey": key, "ParameterValue": value} for key, value in self.parameters.items()],
            "Outputs": [{"OutputKey": key, "OutputValue": value} for key, value in self.outputs.items()],
        }


@dataclass
class PendingChanges:
    """A change set that is not executed yet."""

    stack: FakeStack
    is_new: bool
    body: str
    parameters: dict[str, str]
    changes: list[dict[str, Any]]
    failure: str = ""


class FakeCloudFormation:
    """The stacks of an account. `plans` are what the next operations do, in their order; without one they succeed."""

    def __init__(self, account: FakeAwsAccount) -> None:
        self.stacks: dict[tuple[str, str], FakeStack] = {}
        self.change_sets: dict[str, PendingChanges] = {}
        self.plans: list[Plan] = []
        self.changes: list[dict[str, Any]] | None = None
        self.refusal = ""
        self.review_failure = ""
        self.executed: list[PendingChanges] = []
        self._seconds = 0
        for name in OPERATIONS:
            account.answers[f"cloudformation.{name}"] = getattr(self, xform_name(name))

    def add(self, name: str, status: str, region: str = "us-east-1", **fields: Any) -> FakeStack:
        """Add a stack in this status."""
        stack = FakeStack(name, region, status, **fields)
        self.stacks[region, name] = stack
        return stack

    def describe_stacks(self, call: Call) -> dict[str, Any]:
        return {"Stacks": [self._find(call).describe()]}

    def describe_stack_events(self, call: Call) -> dict[str, Any]:
        stack, token = self._find(call), call.parameters.get("NextToken")
        end = int(token or len(stack.events))
        start = max(0, end - EVENTS_OF_A_PAGE)
        events = list(reversed(stack.events[start:end]))
        if token is None:
            self._step(stack)
        return {"StackEvents": events, **({"NextToken": str(start)} if start else {})}

    def list_stack_resources(self, call: Call) -> dict[str, Any]:
        stack = self._find(call)
        made = {event["LogicalResourceId"]: event for event in stack.events if event["ResourceType"] != STACK_TYPE}
        listed = [
            {
                "LogicalResourceId": name,
                "PhysicalResourceId": f"{name.lower()}-1",
                "ResourceType": event["ResourceType"],
                "ResourceStatus": event["ResourceStatus"],
                "ResourceStatusReason": event.get("ResourceStatusReason", ""),
                "LastUpdatedTimestamp": event["Timestamp"],
            }
            for name, event in made.items()
        ]
        return {"StackResourceSummaries": listed}

    def create_change_set(self, call: Call) -> dict[str, Any]:
        if self.refusal:
            raise AwsError("ValidationError", self.refusal)
        name, parameters = call.parameters["StackName"], call.parameters
        is_new = parameters["ChangeSetType"] == "CREATE"
        stack = self.add(name, "REVIEW_IN_PROGRESS", call.region) if is_new else self._find(call)
        body = parameters["TemplateBody"]
        values = {
            parameters[key]: parameters.get(key.replace("Key", "Value"), stack.parameters.get(parameters[key], ""))
            for key in parameters
            if PARAMETER.fullmatch(key)
        }
        change_set_id = f"arn:aws:cloudformation:{call.region}:{ACCOUNT_ID}:changeSet/foyer/{len(self.change_sets)}"
        changes = self.changes if self.changes is not None and not is_new else added(templates.parse(body)["Resources"])
        failure = self.review_failure if changes else "The submitted information didn't contain changes."
        self.change_sets[change_set_id] = PendingChanges(stack, is_new, body, values, changes, failure)
        return {"Id": change_set_id, "StackId": stack.id}

    def describe_change_set(self, call: Call) -> dict[str, Any]:
        pending = self.change_sets[call.parameters["ChangeSetName"]]
        status = "FAILED" if pending.failure else "CREATE_COMPLETE"
        return {"Status": status, "StatusReason": pending.failure, "Changes": pending.changes}

    def execute_change_set(self, call: Call) -> dict[str, Any]:
        pending = self.change_sets.pop(call.parameters["ChangeSetName"])
        self.executed.append(pending)
        pending.stack.parameters, pending.stack.template = pending.parameters, pending.body
        self._start(pending.stack, "CREATE" if pending.is_new else "UPDATE")
        return {}

    def delete_change_set(self, call: Call) -> dict[str, Any]:
        self.change_sets.pop(call.parameters["ChangeSetName"], None)
        return {}

    def delete_stack(self, call: Call) -> dict[str, Any]:
        stack = self._find(call)
        if stack.status == "REVIEW_IN_PROGRESS":
            del self.stacks[stack.region, stack.name]
        else:
            self._start(stack, "DELETE")
        return {}

    def get_template(self, call: Call) -> dict[str, Any]:
        return {"TemplateBody": self._find(call).template}

    def cancel_update_stack(self, call: Call) -> dict[str, Any]:
        self._find(call).status = "UPDATE_ROLLBACK_COMPLETE"
        return {}

    def continue_update_rollback(self, call: Call) -> dict[str, Any]:
        self._start(self._find(call), "UPDATE_ROLLBACK")
        return {}

    def _find(self, call: Call) -> FakeStack:
        name = call.parameters["StackName"]
        for stack in self.stacks.values():
            is_found = name == stack.id or (name == stack.name and stack.status != "DELETE_COMPLETE")
            if stack.region == call.region and is_found:
                return stack
        raise AwsError("ValidationError", f"Stack with id {name} does not exist")

    def _start(self, stack: FakeStack, verb: str) -> None:
        stack.plan = self.plans.pop(0) if self.plans else Plan()
        stack.plan.status = stack.plan.status or f"{verb}_COMPLETE"
        stack.status = f"{verb}_IN_PROGRESS"
        self.record(stack, Event(stack.name, STACK_TYPE, stack.status))

    def _step(self, stack: FakeStack) -> None:
        """Let one step of the operation happen after each look."""
        if stack.plan is None:
            return
        if stack.plan.steps:
            for event in stack.plan.steps.pop(0):
                self.record(stack, event)
        if not stack.plan.steps:
            stack.status, stack.outputs = stack.plan.status, stack.plan.outputs or stack.outputs
            self.record(stack, Event(stack.name, STACK_TYPE, stack.status))
            stack.plan = None

    def record(self, stack: FakeStack, event: Event) -> None:
        """Add an event to those of the stack."""
        self._seconds += event.seconds
        stack.events.append(
            {
                "StackId": stack.id,
                "StackName": stack.name,
                "EventId": str(self._seconds) + event.name,
                "LogicalResourceId": event.name,
                "ResourceType": event.type,
                "ResourceStatus": event.status,
                "ResourceStatusReason": event.reason,
                "Timestamp": STARTED_AT + timedelta(seconds=self._seconds),
            }
        )


def added(resources: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the changes of a new stack."""
    return [change("Add", name, made["Type"]) for name, made in resources.items()]


def change(action: str, name: str, kind: str, replacement: str = "False", causes: Iterable[str] = ()) -> dict[str, Any]:
    """Return a change of a change set."""
    details = [{"Target": {"Attribute": "Properties", "Name": cause}} for cause in causes]
    resource: dict[str, Any] = {"Action": action, "LogicalResourceId": name, "ResourceType": kind, "Details": details}
    if action == "Modify":
        resource["Replacement"] = replacement
    return {"Type": "Resource", "ResourceChange": resource}
