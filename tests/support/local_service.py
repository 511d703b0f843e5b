"""A service of ECS on this machine: keeps tasks running, exchanges them by its limits, gives up a bad deployment."""

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.support.local_tasks import ContainerDefinition, Surroundings, Task
from tests.support.target_group import TargetGroup

STEP_SECONDS = 0.05
# https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-circuit-breaker.html: half of the tasks, but
# at least three.
FAILURES_BEFORE_ROLLBACK = 3


@dataclass
class Deployment:
    """One task definition in the service, with its tasks."""

    definition: list[ContainerDefinition]
    tasks: list[Task] = field(default_factory=list)
    failures: int = 0
    is_completed: bool = False


class Service:
    """Runs in a thread of its own inside a `with` block; `targets` is None without a load balancer."""

    def __init__(
        self, properties: Mapping[str, Any], surroundings: Surroundings, targets: TargetGroup | None = None
    ) -> None:
        configuration = properties["DeploymentConfiguration"]
        assert configuration["DeploymentCircuitBreaker"] == {"Enable": True, "Rollback": True}
        self._desired = int(properties["DesiredCount"])
        self._least = -(-self._desired * configuration["MinimumHealthyPercent"] // 100)
        self._most = self._desired * configuration["MaximumPercent"] // 100
        self._grace_seconds = properties.get("HealthCheckGracePeriodSeconds", 0)
        self._surroundings, self._targets = surroundings, targets
        self._deployments: list[Deployment] = []
        self._stops: list[threading.Thread] = []
        self._lock = threading.RLock()
        self._closed = threading.Event()
        self.all_tasks: list[Task] = []
        self.rollbacks = self.replaced = 0

    def update(self, definition: list[ContainerDefinition]) -> None:
        """Begin a deployment of the definition."""
        with self._lock:
            self._deployments.append(Deployment(definition))

    def wait_until_steady(self, seconds: float) -> bool:
        """Wait for the end of the deployment; return whether it succeeded, and was not rolled back."""
        deadline, before = time.monotonic() + seconds, self.rollbacks
        while not self._is_steady():
            assert time.monotonic() < deadline, f"not steady after {seconds:.0f} s: {self.describe()}"
            time.sleep(STEP_SECONDS)
        return self.rollbacks == before

    def running(self) -> list[Task]:
        """Return the tasks of the service that are running, the oldest first."""
        with self._lock:
            return [task for task in self._tasks() if task.state == "running"]

    def describe(self) -> str:
        """Return each task's state, why it stopped, and the end of what the last one logged."""
        states = ", ".join(f"{task.number} {task.state} {task.stop_reason}".strip() for task in self.all_tasks)
        return f"{states}\n{self.all_tasks[-1].log[-3000:] if self.all_tasks else ''}"

    def __enter__(self) -> "Service":
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closed.set()
        self._thread.join()
        for task in self.all_tasks:
            task.kill()
        for task in self.all_tasks:
            task.wait_for_end()

    def _run(self) -> None:
        while not self._closed.wait(STEP_SECONDS):
            with self._lock:
                if self._deployments:
                    self._step()

    def _step(self) -> None:
        self._register_started()
        self._replace_stopped()
        self._give_up_failing()
        newest = self._deployments[-1]
        if len(newest.tasks) < self._desired and len(self._tasks()) < self._most:
            self._start_task(newest)
        self._stop_surplus()
        if self._is_healthy_throughout(newest) and len(self._tasks()) == len(newest.tasks):
            newest.is_completed = True
            self._deployments = [newest]

    def _tasks(self) -> list[Task]:
        return [task for deployment in self._deployments for task in deployment.tasks]

    def _is_steady(self) -> bool:
        with self._lock:
            is_alone = len(self._deployments) == 1 and self._deployments[0].is_completed
            is_idle = not any(stop.is_alive() for stop in self._stops)
            return is_alone and is_idle and self._is_healthy_throughout(self._deployments[0])

    def _is_healthy(self, task: Task) -> bool:
        is_reached = self._targets is None or self._targets.state(task.address) == "healthy"
        return task.state == "running" and is_reached

    def _is_healthy_throughout(self, deployment: Deployment) -> bool:
        return sum(map(self._is_healthy, deployment.tasks)) == self._desired

    def _register_started(self) -> None:
        for task in self._tasks():
            if self._targets and task.state == "running" and not task.is_registered:
                task.is_registered = True
                self._targets.register(task.address)

    def _replace_stopped(self) -> None:
        for deployment in self._deployments:
            for task in list(deployment.tasks):
                if task.state == "stopped" or self._is_unhealthy(task):
                    self._remove(deployment, task)
                    deployment.failures += not deployment.is_completed
                    self.replaced += deployment.is_completed

    def _is_unhealthy(self, task: Task) -> bool:
        is_refused = self._targets is not None and self._targets.state(task.address) == "unhealthy"
        return is_refused and time.monotonic() > task.started_at + self._grace_seconds

    def _give_up_failing(self) -> None:
        """Return to the deployment before one that has failed too often."""
        newest = self._deployments[-1]
        if newest.failures >= FAILURES_BEFORE_ROLLBACK and len(self._deployments) > 1:
            for task in list(newest.tasks):
                self._remove(newest, task)
            self._deployments.pop()
            self.rollbacks += 1

    def _stop_surplus(self) -> None:
        """Stop tasks of earlier deployments, while enough healthy ones are left."""
        healthy = sum(map(self._is_healthy, self._tasks()))
        for deployment in self._deployments[:-1]:
            for task in list(deployment.tasks):
                if not self._is_healthy(task) or healthy > self._least:
                    healthy -= self._is_healthy(task)
                    self._remove(deployment, task)

    def _start_task(self, deployment: Deployment) -> None:
        task = Task(deployment.definition, self._surroundings)
        task.start()
        deployment.tasks.append(task)
        self.all_tasks.append(task)

    def _remove(self, deployment: Deployment, task: Task) -> None:
        """Take the task out of the load balancer and, after the time to finish its requests, stop it."""
        deployment.tasks.remove(task)
        if self._targets:
            self._targets.deregister(task.address)
        drain_seconds = self._targets.check.drain if self._targets else 0
        stop = threading.Thread(target=self._stop_later, args=(task, drain_seconds), daemon=True)
        stop.start()
        self._stops.append(stop)

    def _stop_later(self, task: Task, seconds: float) -> None:
        task.wait(seconds)
        task.stop()
