"""CloudFormation's stacks: what state one is in, and the calls that change it."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from deploy.account import Account
from deploy.errors import DeployError

# A change set can be executed on a stack in these states. Those that end in FAILED keep what was made, and go on.
READY = {
    "CREATE_COMPLETE",
    "UPDATE_COMPLETE",
    "UPDATE_ROLLBACK_COMPLETE",
    "IMPORT_COMPLETE",
    "IMPORT_ROLLBACK_COMPLETE",
}
HALFWAY = {"CREATE_FAILED", "UPDATE_FAILED"}
DATABASE_TYPE = "AWS::RDS::DBInstance"


@dataclass(frozen=True)
class Stack:
    """A stack as CloudFormation describes it."""

    id: str
    name: str
    status: str
    reason: str = ""
    parameters: dict[str, str] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=dict)
    changed_at: datetime | None = None

    @property
    def is_in_review(self) -> bool:
        """Whether its first change set was never executed: it is empty."""
        return self.status == "REVIEW_IN_PROGRESS"

    @property
    def is_busy(self) -> bool:
        """Whether an operation runs on it."""
        return self.status.endswith("_IN_PROGRESS") and not self.is_in_review


@dataclass(frozen=True)
class Resource:
    """A resource that a stack has made."""

    logical_id: str
    physical_id: str
    type: str
    status: str
    reason: str

    @property
    def name_and_reason(self) -> str:
        """The resource's name in the template, and AWS's reason for its status."""
        return f"{self.logical_id}: {self.reason or self.status}"


def find(account: Account, name: str, region: str = "") -> Stack | None:
    """Return the stack of this name, or with this id; None if there is none."""
    try:
        answer = account.client("cloudformation", region).describe_stacks(StackName=name)
    except ClientError as error:
        if "does not exist" in error.response["Error"].get("Message", ""):
            return None
        raise
    [made, *_] = answer["Stacks"] or [None]
    if made is None or (made["StackStatus"] == "DELETE_COMPLETE" and not name.startswith("arn:")):
        return None
    return Stack(
        id=made["StackId"],
        name=made["StackName"],
        status=made["StackStatus"],
        reason=made.get("StackStatusReason", ""),
        parameters={item["ParameterKey"]: item.get("ParameterValue", "") for item in made.get("Parameters", ())},
        outputs={item["OutputKey"]: item.get("OutputValue", "") for item in made.get("Outputs", ())},
        changed_at=made.get("LastUpdatedTime") or made.get("CreationTime"),
    )


def get(account: Account, name: str) -> Stack:
    """Return the stack of this name.

    Raises:
        DeployError: there is none.
    """
    if stack := find(account, name):
        return stack
    raise DeployError(
        f"There is no stack {name} in {account.region}.",
        "Its name or Region may be another: STACK=... REGION=... To see all stacks of a Region:\n"
        f"  aws cloudformation describe-stacks --region {account.region} --query Stacks[].StackName",
    )


def resources(account: Account, stack_id: str) -> list[Resource]:
    """Return what the stack has made, and what it could not make or delete."""
    pages = account.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=stack_id)
    return [
        Resource(
            item["LogicalResourceId"],
            item.get("PhysicalResourceId", ""),
            item["ResourceType"],
            item["ResourceStatus"],
            item.get("ResourceStatusReason", ""),
        )
        for page in pages
        for item in page["StackResourceSummaries"]
    ]


def event_pages(account: Account, stack_id: str, region: str = "") -> Iterator[list[dict[str, Any]]]:
    """Yield the stack's events by the page, the newest first; each page is a call."""
    client = account.client("cloudformation", region)
    for page in client.get_paginator("describe_stack_events").paginate(StackName=stack_id):
        yield page["StackEvents"]


def template_of(account: Account, stack_id: str) -> Any:
    """Return the template that the stack was last deployed with, as text, or as data if it was JSON."""
    return account.client("cloudformation").get_template(StackName=stack_id, TemplateStage="Original")["TemplateBody"]


def unprotect_databases(account: Account, stack_id: str) -> None:
    """Allow the deletion of the stack's databases; of those that still exist."""
    rds = account.client("rds")
    for made in resources(account, stack_id):
        if made.type == DATABASE_TYPE and made.physical_id and made.status != "DELETE_COMPLETE":
            try:
                rds.modify_db_instance(
                    DBInstanceIdentifier=made.physical_id, DeletionProtection=False, ApplyImmediately=True
                )
            except ClientError as error:
                if error.response["Error"]["Code"] not in {"DBInstanceNotFound", "InvalidDBInstanceState"}:
                    raise
