"""Starts a task definition of ECS as processes of this machine: its containers' commands, environment and secrets.

A process is no container. What differs is said here: tasks share this machine's address, so each listens on a port of
its own in place of `0.0.0.0:8000`; AWS is the sandbox; the product is at a private address. Files can be written
everywhere, though only the task's own /tmp is meant to be: Python writes no bytecode, and a run can compare the images'
files before and after it.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, Literal, Protocol

from tests.support.ports import free_port
from tests.support.target_group import Address

POLL_SECONDS = 0.02
NOWHERE = Address("127.0.0.1", 0)
ContainerDefinition = Mapping[str, Any]
_numbers = count(1)


class Secrets(Protocol):
    """Where ECS reads a container's secrets."""

    def read(self, value_from: str) -> str: ...


@dataclass(frozen=True)
class Surroundings:
    """What each task needs beside its definition: the images by name, the secrets, and what differs on this machine."""

    images: Mapping[str, Path]
    secrets: Secrets
    folder: Path
    differences: Mapping[str, str]

    def environment(self, container: ContainerDefinition, temporary: Path) -> dict[str, str]:
        """Return a container's environment: nothing of this machine's but its Python."""
        image = self.images[container["Image"]]
        given = {made["Name"]: made["Value"] for made in container["Environment"]}
        secret = {made["Name"]: self.secrets.read(made["ValueFrom"]) for made in container["Secrets"]}
        path = f"{image / 'bin'}:{Path(sys.executable).parent}:/usr/bin:/bin"
        own = {"PATH": path, "HOME": "/nonexistent", "TMPDIR": str(temporary), "MALLOC_ARENA_MAX": "2"}
        own["PYTHONDONTWRITEBYTECODE"] = "1"
        return {**own, **given, **secret, **self.differences}


@dataclass
class Container:
    """One container of a task, as a process."""

    definition: ContainerDefinition
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def name(self) -> str:
        """Its name in the task."""
        return str(self.definition["Name"])

    @property
    def exit_code(self) -> int | None:
        """Its exit code; None before it has ended."""
        return self.process.poll() if self.process else None

    def send(self, number: signal.Signals) -> None:
        """Send a signal: SIGTERM to the process alone, as to a container's first process; SIGKILL to all."""
        if self.process is None:
            return
        with suppress(ProcessLookupError):
            if number == signal.SIGKILL:
                os.killpg(self.process.pid, number)
            else:
                self.process.send_signal(number)


@dataclass
class Task:
    """One started task. Its thread starts the containers in their order and notices their end."""

    definition: list[ContainerDefinition]
    surroundings: Surroundings
    number: int = field(default_factory=partial(next, _numbers))
    state: Literal["pending", "running", "stopped"] = "pending"
    stop_reason: str = ""
    killed_at_timeout: int = 0
    is_registered: bool = False
    is_over: bool = False
    started_at: float = 0
    address: Address = NOWHERE
    is_stopping: threading.Event = field(default_factory=threading.Event)

    def start(self) -> None:
        """Start the task; `state` tells how far it is."""
        self.containers = {made["Name"]: Container(made) for made in self.definition}
        self.folder = self.surroundings.folder / f"task-{self.number}"
        (self.folder / "tmp").mkdir(parents=True)
        self.started_at = time.monotonic()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @property
    def log(self) -> str:
        """What all its containers have logged."""
        return "".join(path.read_text(errors="replace") for path in sorted(self.folder.glob("*.log")))

    def kill(self) -> None:
        """End every process at once, as a machine's failure does."""
        self.is_stopping.set()
        # Later, another process may have the number of one that ended.
        if self.is_over:
            return
        for container in self.containers.values():
            container.send(signal.SIGKILL)

    def stop(self) -> None:
        """Send SIGTERM and, after a container's StopTimeout, SIGKILL."""
        self.is_stopping.set()
        for container in self.containers.values():
            container.send(signal.SIGTERM)
        for container in self.containers.values():
            if container.process:
                try:
                    container.process.wait(container.definition["StopTimeout"])
                except subprocess.TimeoutExpired:
                    self.killed_at_timeout += 1
        self.kill()
        self.wait_for_end()

    def wait_for_end(self) -> None:
        """Wait until every process has ended and is collected."""
        self._thread.join()
        for container in self.containers.values():
            if container.process:
                container.process.wait()
        self.is_over = True

    def wait(self, seconds: float) -> None:
        """Wait so long at most until the task has ended by itself."""
        self._thread.join(seconds)

    def _run(self) -> None:
        for container in self._in_order():
            if not self._wait_for_dependencies(container):
                break
            self._start(container)
        else:
            self.state = "running"
            self._wait_for_essential()
        self.state = "stopped"
        for container in self.containers.values():
            container.send(signal.SIGTERM)

    def _in_order(self) -> list[Container]:
        """Return the containers, each after those that it depends on; ECS refuses circles."""
        ordered: list[Container] = []
        while len(ordered) < len(self.containers):
            ready = {container.name for container in ordered}
            ordered += [
                container
                for container in self.containers.values()
                if container.name not in ready
                and all(made["ContainerName"] in ready for made in container.definition.get("DependsOn", []))
            ]
        return ordered

    def _wait_for_dependencies(self, container: Container) -> bool:
        for dependency in container.definition.get("DependsOn", []):
            assert dependency["Condition"] == "SUCCESS"
            process = self.containers[dependency["ContainerName"]].process
            assert process
            if process.wait() != 0:
                self.stop_reason = f"{dependency['ContainerName']} ended with {process.returncode}"
                return False
        return not self.is_stopping.is_set()

    def _start(self, container: Container) -> None:
        definition = container.definition
        # awsvpc gives a task an address of its own; here it is a port of its own, chosen only now: it has to stay free
        # until the process listens.
        if "PortMappings" in definition:
            self.address = Address("127.0.0.1", free_port())
        command = [part.replace("0.0.0.0:8000", "{}:{}".format(*self.address)) for part in definition["Command"]]
        with (self.folder / f"{container.name}.log").open("ab") as log:
            container.process = subprocess.Popen(
                command,
                cwd=self.surroundings.images[definition["Image"]],
                env=self.surroundings.environment(definition, self.folder / "tmp"),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _wait_for_essential(self) -> None:
        essential = [container for container in self.containers.values() if container.definition["Essential"]]
        ended = threading.Event()
        while not ended.wait(POLL_SECONDS):
            for container in essential:
                if container.exit_code is not None:
                    self.stop_reason = f"{container.name} ended with {container.exit_code}"
                    return


def parse_log(text: str) -> list[dict[str, Any]]:
    """Return the log's lines that are JSON."""
    lines = []
    for line in text.splitlines():
        with suppress(ValueError):
            lines.append(json.loads(line))
    return [line for line in lines if isinstance(line, dict)]
