"""Why tasks stopped: ECS's reason in plain words, and their last lines in the logs."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click
from botocore.exceptions import ClientError

from deploy import console, denied, failures, stacks
from deploy.account import Account
from deploy.logs import LogStream
from deploy.progress import Follower

SHOWN_LINES = 8
MAX_TASKS = 100
# By the pattern of ECS's reason, or of a line in the logs: what it means and what to do.
REASONS: tuple[tuple[str, str], ...] = (
    (
        r"exec format error|does not contain descriptor matching platform|platform .* does not match",
        "The image is built for another architecture than the tasks. Deploy again with "
        'PARAMETERS="Architecture=ARM64" for an image built on an ARM machine such as a newer Mac, '
        '"Architecture=X86_64" for one built on any other.',
    ),
    (
        r"CannotPullContainerError.*(?:not found|manifest unknown|does not exist)",
        "The image is not in its repository. Push it, or leave out IMAGE= to have it built.",
    ),
    (
        r"CannotPullContainerError.*(?:denied|unauthorized|no basic auth|403)",
        "The tasks may not pull the image. Copy it into ECR in this account, or make its repository public.",
    ),
    (
        r"CannotPullContainerError|ResourceInitializationError.*(?:timeout|i/o|dial|deadline exceeded)",
        "The tasks cannot reach AWS from their subnets. Subnets of yours need a way to the internet: PublicSubnets a "
        "route to an internet gateway, PrivateSubnets one to a NAT gateway.",
    ),
    (
        r"ResourceInitializationError.*(?:secret|asm|GetSecretValue)",
        "A secret could not be read. Check that KeysArn and HandoffSecretArn name secrets of this Region that exist.",
    ),
    (
        r"OutOfMemory|Container killed due to memory",
        'The task had too little memory. Deploy with PARAMETERS="TaskMemory=1024".',
    ),
    (
        r"failed (?:ELB|container) health checks|Task failed ELB|health checks? (?:failed|timed)",
        "The load balancer got no good answer from /readyz in time. The lines below say what the task did instead.",
    ),
    (
        r"Capacity is unavailable",
        "AWS has no capacity on Fargate in these zones at the moment. Try again in some minutes.",
    ),
    (
        r"limit on the number of vCPUs",
        "The account may not run this many vCPUs on Fargate. Ask for more in Service Quotas.",
    ),
)


class StoppedTasks:
    """Prints each reason for which tasks of a stack's cluster stop, once, while a deployment runs."""

    def __init__(self, account: Account, stack_name: str) -> None:
        self._account, self._stack_name = account, stack_name
        self._seen: set[str] = set()
        self._printed: set[str] = set()
        self._cluster = ""

    def look(self, follower: Follower) -> None:
        """Print why tasks have stopped, while a service is being made or changed."""
        services = [name for name in follower.running if follower.types.get(name) == "AWS::ECS::Service"]
        if services:
            self.print_new(follower.stack_id)

    def print_new(self, stack_id: str) -> None:
        """Print why tasks have stopped since the last call; nothing where these credentials may not ask ECS."""
        with _denial_ignored():
            if new := [arn for arn in self._stopped(stack_id) if arn not in self._seen]:
                for task in self._account.client("ecs").describe_tasks(cluster=self._cluster, tasks=new)["tasks"]:
                    self._print(task)

    def skip_earlier(self, stack_id: str) -> None:
        """Take the tasks that have stopped by now as those of earlier deployments."""
        with _denial_ignored():
            self._seen |= set(self._stopped(stack_id))

    def _stopped(self, stack_id: str) -> list[str]:
        """Return the ARNs of the tasks that have stopped lately."""
        if not self._cluster:
            made = {item.type: item.physical_id for item in stacks.resources(self._account, stack_id)}
            self._cluster = made.get("AWS::ECS::Cluster", "")
        if not self._cluster:
            return []
        answer = self._account.client("ecs").list_tasks(
            cluster=self._cluster, desiredStatus="STOPPED", maxResults=MAX_TASKS
        )
        return list(answer["taskArns"])

    def _print(self, task: dict[str, Any]) -> None:
        self._seen.add(task["taskArn"])
        # Deployments stop tasks that are well, too.
        if task.get("stopCode") in {"ServiceSchedulerInitiated", "UserInitiated"} and "health" not in task.get(
            "stoppedReason", ""
        ):
            return
        containers = [item for item in task.get("containers", ()) if item.get("exitCode") != 0]
        reason = "; ".join(
            filter(None, [task.get("stoppedReason", ""), *(item.get("reason", "") for item in containers)])
        )
        # The same failure of the next task says nothing new.
        key = re.sub(r"[0-9a-f]{8,}", "", reason)
        if key in self._printed:
            return
        lines = {item["name"]: self._last_lines(item["name"], task["taskArn"]) for item in containers}
        self._printed.add(key)
        print_reason(reason, lines)

    def _last_lines(self, container: str, task_arn: str) -> list[str]:
        return LogStream(self._account, f"/foyer/{self._stack_name}", container, task_arn).last_lines(SHOWN_LINES)


@contextmanager
def _denial_ignored() -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        if not denied.read(str(error)):
            raise


def print_reason(reason: str, lines: dict[str, list[str]]) -> None:
    """Print why a task stopped, and the last lines of its containers."""
    console.say(f"A task stopped: {reason or 'ECS does not say why'}")
    if advice := explain("\n".join([reason, *(line for written in lines.values() for line in written)])):
        console.say(advice)
    for container, written in lines.items():
        if written:
            console.say(f"The last lines of {container}:")
            for line in written:
                click.echo(f"  {line.rstrip()}")


def explain(text: str) -> str:
    """Return what a reason or a line in the logs means and what to do; empty if it is not known."""
    known = next((advice for pattern, advice in REASONS if re.search(pattern, text, re.IGNORECASE)), "")
    if known or not denied.read(text):
        return known
    explained = failures.explain_reason(text)
    return f"{explained.what} {explained.to_do[0]}"
