"""A change set in plain words: what it adds, changes, replaces and removes, and whether the database is at risk."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

import click

from deploy import console, stacks

# By the beginning of the type: what the resources are, in the words of docs/deploy.md.
KINDS = {
    "AWS::RDS::DBInstance": "database",
    "AWS::RDS": "database settings",
    "AWS::EC2": "network",
    "AWS::ElasticLoadBalancingV2": "load balancer",
    "AWS::CertificateManager": "certificate",
    "AWS::Route53": "DNS record",
    "AWS::WAFv2": "request limit (WAF)",
    "AWS::SecretsManager": "secret",
    "AWS::ECS::TaskDefinition": "task definition",
    "AWS::ECS::Cluster": "cluster",
    "AWS::ECS": "tasks",
    "AWS::ECR": "image repository",
    "AWS::IAM": "permissions",
    "AWS::Logs::LogGroup": "log group",
    "AWS::Logs": "log metric",
    "AWS::SQS": "events queue",
    "AWS::Events": "event rule",
    "AWS::SNS": "notifications",
    "AWS::SES": "mail events",
    "AWS::CloudWatch": "alarm",
}
# A task definition is never changed: each change of it is a new revision.
NEW_REVISION = "AWS::ECS::TaskDefinition"
MAX_LISTED = 12


@dataclass(frozen=True)
class Change:
    """One resource of a change set. `what` is add, change, replace, may replace or remove; `causes` are properties."""

    what: str
    name: str
    type: str
    causes: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        """What the resource is, in plain words."""
        return next((words for start, words in KINDS.items() if self.type.startswith(start)), self.type)


def read(change: dict[str, Any]) -> Change:
    """Return a change of CloudFormation's."""
    made = change["ResourceChange"]
    causes = [
        detail["Target"].get("Name") or detail["Target"].get("Attribute", "") for detail in made.get("Details", ())
    ]
    return Change(
        _what(made["Action"], made.get("Replacement", ""), made["ResourceType"]),
        made["LogicalResourceId"],
        made["ResourceType"],
        tuple(dict.fromkeys(filter(None, causes))),
    )


def _what(action: str, replacement: str, resource_type: str) -> str:
    if action != "Modify":
        return action.lower()
    if replacement == "True":
        return "change" if resource_type == NEW_REVISION else "REPLACE"
    return "may replace" if replacement == "Conditional" and resource_type != NEW_REVISION else "change"


def show(changes: list[Change], place: str) -> None:
    """Print the changes: many additions only as counts of each kind, everything else one by one."""
    console.heading(f"What changes in {place}")
    added = [change for change in changes if change.what == "add"]
    if len(added) > MAX_LISTED:
        counts = Counter(change.kind for change in added)
        console.say(f"{len(added)} resources are added:")
        for kind, count in counts.items():
            click.echo(f"  add          {count:>3}  {kind}")
    for change in changes:
        if change.what != "add" or len(added) <= MAX_LISTED:
            causes = f": {', '.join(change.causes)}" if change.causes else ""
            click.echo(f"  {change.what:<11}  {change.name} ({change.kind}){causes}")
    if any(change.what == "may replace" for change in changes):
        console.say('"may replace" means that AWS decides only while it makes the change.')


def endangered_databases(changes: list[Change]) -> list[Change]:
    """Return the changes that replace or remove a database, or may."""
    return [
        change
        for change in changes
        if change.type == stacks.DATABASE_TYPE and change.what in {"REPLACE", "may replace", "remove"}
    ]
