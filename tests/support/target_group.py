"""The targets of a load balancer and their health checks, as an Application Load Balancer has them."""

import threading
from collections.abc import Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from itertools import count
from typing import Any, Literal, NamedTuple, Self

# https://docs.aws.amazon.com/elasticloadbalancing/latest/application/target-group-health-checks.html
HEALTH_CHECK_HEADERS = {"User-Agent": "ELB-HealthChecker/2.0", "Connection": "close"}
HEALTHY_STATUS = 200


class Address(NamedTuple):
    """Where a target listens."""

    host: str
    port: int


@dataclass(frozen=True)
class HealthCheck:
    """How targets are checked, and how long a removed one may finish its requests; in seconds."""

    path: str
    interval: float
    timeout: float
    healthy_after: int
    unhealthy_after: int
    drain: float

    @classmethod
    def from_properties(cls, properties: Mapping[str, Any], speed: float) -> Self:
        """Return what the target group's properties say; all but the timeout passes `speed` times as fast."""
        attributes = {made["Key"]: made["Value"] for made in properties["TargetGroupAttributes"]}
        return cls(
            path=properties["HealthCheckPath"],
            interval=properties["HealthCheckIntervalSeconds"] / speed,
            timeout=properties["HealthCheckTimeoutSeconds"],
            healthy_after=properties["HealthyThresholdCount"],
            unhealthy_after=properties["UnhealthyThresholdCount"],
            drain=int(attributes["deregistration_delay.timeout_seconds"]) / speed,
        )


@dataclass
class Target:
    """One target. A draining one gets no new requests."""

    address: Address
    state: Literal["initial", "healthy", "unhealthy", "draining"] = "initial"
    removed: threading.Event = field(default_factory=threading.Event)


class TargetGroup:
    """The registered targets, each checked by a thread of its own until it is removed."""

    def __init__(self, check: HealthCheck) -> None:
        self.check = check
        self._targets: dict[Address, Target] = {}
        self._turns = count()
        self._lock = threading.Lock()

    def register(self, address: Address) -> None:
        """Add the target; it gets requests once it is healthy."""
        target = Target(address)
        with self._lock:
            self._targets[address] = target
        threading.Thread(target=self._check_until_removed, args=(target,), daemon=True).start()

    def deregister(self, address: Address) -> None:
        """Send the target no more requests."""
        with self._lock:
            target = self._targets.pop(address, None)
        if target:
            target.state = "draining"
            target.removed.set()

    def state(self, address: Address) -> str:
        """Return the state of a target; `unused` if it is not registered."""
        target = self._targets.get(address)
        return target.state if target else "unused"

    def healthy(self) -> list[Address]:
        """Return the healthy targets."""
        return [target.address for target in list(self._targets.values()) if target.state == "healthy"]

    def choose(self) -> Address | None:
        """Return the next target in turn: a healthy one or, where none is, any; None without targets."""
        with self._lock:
            candidates = self.healthy() or list(self._targets)
            return candidates[next(self._turns) % len(candidates)] if candidates else None

    def close(self) -> None:
        """Remove every target."""
        for address in list(self._targets):
            self.deregister(address)

    def _check_until_removed(self, target: Target) -> None:
        passed = failed = 0
        while True:
            passed, failed = (passed + 1, 0) if self._passes(target.address) else (0, failed + 1)
            if target.removed.is_set():
                return
            if passed >= self.check.healthy_after:
                target.state = "healthy"
            elif failed >= self.check.unhealthy_after:
                target.state = "unhealthy"
            if target.removed.wait(self.check.interval):
                return

    def _passes(self, address: Address) -> bool:
        # Without a Host of ours: the check's is the target's own address and port.
        with closing(HTTPConnection(*address, timeout=self.check.timeout)) as connection:
            with suppress(OSError, HTTPException):
                connection.request("GET", self.check.path, headers=HEALTH_CHECK_HEADERS)
                return connection.getresponse().status == HEALTHY_STATUS
            return False
