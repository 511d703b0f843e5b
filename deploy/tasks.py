"""Runs a command of foyer as a task of its own, with the settings of the worker, and prints what it prints."""

import time
from dataclasses import dataclass
from typing import Any

import click

from deploy import console, stopped_tasks
from deploy.account import Account
from deploy.errors import DeployError
from deploy.logs import LogStream
from deploy.stacks import Stack

CONTAINER = "worker"
# A task that has stopped may have lines that CloudWatch does not show yet.
LATE_LOOKS = 3
PROGRAM = "foyer"
NEEDED_OUTPUTS = ("ClusterName", "WorkerTaskDefinition", "TaskSubnets", "TaskSecurityGroup", "TaskPublicIp", "LogGroup")


@dataclass(frozen=True)
class OneOffTask:
    """A command that runs in the stack; `poll_seconds` are between two looks."""

    account: Account
    stack: Stack
    poll_seconds: float

    def run(self, arguments: list[str]) -> int:
        """Run `foyer` with these arguments, print its lines as they come, and return its exit status.

        Raises:
            DeployError: the task did not start, or Ctrl-C stopped it.
        """
        arn = self._start(arguments)
        stream = LogStream(self.account, self.stack.outputs["LogGroup"], CONTAINER, arn)
        try:
            task = self._wait(arn, stream)
        except KeyboardInterrupt:
            self.account.client("ecs").stop_task(cluster=self.stack.outputs["ClusterName"], task=arn)
            raise DeployError("Stopped: AWS ends the task within a minute and a half.", status=130) from None
        return self._exit_status(task)

    def _start(self, arguments: list[str]) -> str:
        outputs = self.stack.outputs
        if missing := [name for name in NEEDED_OUTPUTS if name not in outputs]:
            raise DeployError(
                f"Stack {self.stack.name} has no output {missing[0]}, so no task can run in it.",
                "Deploy it first with make deploy.",
            )
        network = {
            "subnets": outputs["TaskSubnets"].split(","),
            "securityGroups": [outputs["TaskSecurityGroup"]],
            "assignPublicIp": outputs["TaskPublicIp"],
        }
        # Without informational logs, the command's output is easy to read.
        container = {
            "name": CONTAINER,
            "command": [PROGRAM, *arguments],
            "environment": [{"name": "LOG_LEVEL", "value": "WARNING"}],
        }
        answer = self.account.client("ecs").run_task(
            cluster=outputs["ClusterName"],
            taskDefinition=outputs["WorkerTaskDefinition"],
            launchType="FARGATE",
            networkConfiguration={"awsvpcConfiguration": network},
            overrides={"containerOverrides": [container]},
        )
        if not answer["tasks"]:
            reasons = [f"{item.get('reason', '')} {item.get('detail', '')}".strip() for item in answer["failures"]]
            raise DeployError(
                "ECS did not start the task.",
                *filter(None, [stopped_tasks.explain(str(reasons))]),
                aws_words="; ".join(reasons),
            )
        return str(answer["tasks"][0]["taskArn"])

    def _wait(self, arn: str, stream: LogStream) -> dict[str, Any]:
        ecs, cluster = self.account.client("ecs"), self.stack.outputs["ClusterName"]
        late_looks = LATE_LOOKS
        while True:
            [task] = ecs.describe_tasks(cluster=cluster, tasks=[arn])["tasks"]
            for line in stream.new_lines():
                click.echo(line.rstrip("\n"))
                late_looks = 1
            if task["lastStatus"] == "STOPPED":
                late_looks -= 1
                if late_looks < 0:
                    return dict(task)
            time.sleep(self.poll_seconds)

    @staticmethod
    def _exit_status(task: dict[str, Any]) -> int:
        [container] = [item for item in task["containers"] if item["name"] == CONTAINER]
        if "exitCode" in container:
            if container["exitCode"] and (advice := stopped_tasks.explain(container.get("reason", ""))):
                console.say(advice)
            return int(container["exitCode"])
        reason = "; ".join(filter(None, [task.get("stoppedReason", ""), container.get("reason", "")]))
        raise DeployError("The task could not start.", *filter(None, [stopped_tasks.explain(reason)]), aws_words=reason)
