"""Follows a stack's events until its operation ends: prints what is done, how long it took, and what failed."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import chain, takewhile
from typing import Any

import click

from deploy import console, failures, stacks
from deploy.account import Account
from deploy.errors import DeployError

HEARTBEAT_SECONDS = 60.0
# AWS's words for resources that only failed because another one had.
CANCELLED = ("creation cancelled", "update cancelled", "Resource deletion cancelled", "cancelled")
DONE = {"CREATE": "made", "UPDATE": "changed", "DELETE": "deleted", "ROLLBACK": "undone", "IMPORT": "imported"}
STACK_TYPE = "AWS::CloudFormation::Stack"


@dataclass(frozen=True)
class Failure:
    """A resource that could not be made, changed or deleted, with AWS's reason."""

    name: str
    reason: str


@dataclass
class Follower:
    """What one operation has done so far. `poll_seconds` are between two looks.

    Make it before the operation starts: the events that there are by then count as those of earlier operations.
    """

    account: Account
    stack_id: str
    region: str = ""
    poll_seconds: float = 5.0
    failures: list[Failure] = field(default_factory=list)
    running: dict[str, datetime] = field(default_factory=dict)
    types: dict[str, str] = field(default_factory=dict)
    _seen: set[str] = field(init=False)
    _printed_at: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        # The newest page is enough: `_print_new` goes back no further than to the first event that it knows.
        newest = next(stacks.event_pages(self.account, self.stack_id, self.region), [])
        self._seen = {event["EventId"] for event in newest}

    def follow(self, look: Callable[["Follower"], None] = lambda _: None) -> stacks.Stack:
        """Print events as they come, and return the stack when nothing runs on it; `look` is called each time.

        Raises:
            DeployError: Ctrl-C was pressed: AWS goes on.
        """
        try:
            return self._follow(look)
        except KeyboardInterrupt:
            raise self.interrupted() from None

    def interrupted(self) -> DeployError:
        """Return what to say when somebody stops watching the stack."""
        name = self.stack_id.split("/")[1] if "/" in self.stack_id else self.stack_id
        return DeployError(
            "You stopped watching. AWS goes on with the stack all the same.",
            "Follow it with this, or in the console under CloudFormation:\n"
            + events_command(self.region or self.account.region, name),
            "When it has ended, run the same command again: it goes on from there.",
            status=130,
        )

    def error(self, what: str, stack: stacks.Stack, to_do: str) -> DeployError:
        """Return the error for an operation that failed: what it was, each failure's reason, and how to go on."""
        reasons = [f"{failure.name}: {failures.explain_reason(failure.reason).what}" for failure in self.failures]
        words = "; ".join(failure.reason for failure in self.failures)
        return DeployError(f"{what} ({stack.status}).", *(reasons or [stack.reason]), to_do, aws_words=words)

    def _follow(self, look: Callable[["Follower"], None]) -> stacks.Stack:
        while True:
            stack = stacks.find(self.account, self.stack_id, self.region)
            self._print_new()
            if stack is None:
                return stacks.Stack(self.stack_id, self.stack_id, "DELETE_COMPLETE")
            if not stack.is_busy:
                return stack
            look(self)
            self._print_heartbeat()
            time.sleep(self.poll_seconds)

    def _print_new(self) -> None:
        pages = stacks.event_pages(self.account, self.stack_id, self.region)
        new = list(takewhile(lambda event: event["EventId"] not in self._seen, chain.from_iterable(pages)))
        for event in reversed(new):
            self._seen.add(event["EventId"])
            self._take(event)

    def _take(self, event: dict[str, Any]) -> None:
        name, status, reason = (
            event["LogicalResourceId"],
            event["ResourceStatus"],
            event.get("ResourceStatusReason", ""),
        )
        if event.get("ResourceType") == STACK_TYPE:
            if status.endswith("ROLLBACK_IN_PROGRESS"):
                self._print("The operation failed. CloudFormation undoes it; that takes a few minutes.")
            return
        self.types[name] = event.get("ResourceType", "")
        if status.endswith("_IN_PROGRESS"):
            self.running.setdefault(name, event["Timestamp"])
            return
        started = self.running.pop(name, event["Timestamp"])
        took = console.duration((event["Timestamp"] - started).total_seconds())
        verb, _, outcome = status.partition("_")
        if not status.endswith("FAILED"):
            word = "kept" if outcome == "SKIPPED" else DONE.get(verb, verb.lower())
            self._print(f"  {word:<8} {name:<28} {took:>12}")
        elif not any(words in reason for words in CANCELLED):
            self.failures.append(Failure(name, reason))
            self._print(f"  FAILED   {name:<28} {took:>12}")

    def _print_heartbeat(self) -> None:
        if self.running and time.monotonic() - self._printed_at >= HEARTBEAT_SECONDS:
            now = datetime.now(UTC)
            ages = [f"{name} ({console.duration((now - at).total_seconds())})" for name, at in self.running.items()]
            console.say(f"... still: {', '.join(ages)}")
            self._printed_at = time.monotonic()

    def _print(self, line: str) -> None:
        click.echo(line)
        self._printed_at = time.monotonic()


def events_command(region: str, stack_name: str) -> str:
    """Return the command that prints a stack's newest events."""
    return (
        f"  aws cloudformation describe-stack-events --region {region} \\\n    --stack-name {stack_name} --max-items 20"
    )
