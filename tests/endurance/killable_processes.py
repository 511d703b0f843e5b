"""Processes that a run kills and starts again: gunicorn, its workers, and Foyer's worker."""

import os
import random
import select
import signal
import socket
import subprocess
import sys
import time
from contextlib import closing, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.endurance.browser import Browser, ConnectionCut
from tests.support import app_processes, processes

START_TIMEOUT_SECONDS = 30
STOP_TIMEOUT_SECONDS = 25
PROBE_TIMEOUT_SECONDS = 0.3


class KillableProcess:
    """A Python program in its own process group, running for the time of a `with` block."""

    def __init__(self, arguments: list[str], environment: dict[str, str], folder: Path) -> None:
        # A killed process leaves its temporary files behind: keep them in the test's folder.
        self._environment = {**app_processes.inherited_environment(), "TMPDIR": str(folder), **environment}
        self._arguments = arguments
        self._inherited_fds: tuple[int, ...] = ()
        self.log = folder / "processes.log"

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", *self._arguments],
                cwd=processes.ROOT,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=self._inherited_fds,
                start_new_session=True,
            )

    def kill_all(self) -> None:
        """Kill the whole process group at once."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(STOP_TIMEOUT_SECONDS)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.kill_all()


class Gunicorn(KillableProcess):
    """Gunicorn on a socket that outlives it: buyers who connect while it is down wait in the socket's backlog."""

    def __init__(self, environment: dict[str, str], folder: Path, workers: int | None = None) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port = int(self._listener.getsockname()[1])
        command = ["gunicorn", "--config", "gunicorn.conf.py", "--bind", f"fd://{self._listener.fileno()}"]
        super().__init__([*command, *(["--workers", str(workers)] if workers else [])], environment, folder)
        self._inherited_fds = (self._listener.fileno(),)
        self._orphan_pidfds: list[int] = []

    def start(self) -> None:
        """Start gunicorn; wait until it answers and the orphaned workers of the previous one have ended."""
        super().start()
        if not self._is_responding(START_TIMEOUT_SECONDS):
            raise AssertionError(f"gunicorn does not answer; the last of its log:\n{self.log.read_text()[-3000:]}")
        while self._orphan_pidfds:
            orphan = self._orphan_pidfds.pop()
            has_ended = select.select([orphan], [], [], STOP_TIMEOUT_SECONDS)[0]
            os.close(orphan)
            assert has_ended, "a worker outlives its gunicorn"

    def worker_pids(self) -> list[int]:
        return processes.child_pids(self.process.pid)

    def kill_worker(self) -> None:
        """Kill one worker; gunicorn starts another."""
        with suppress(ProcessLookupError):
            os.kill(random.choice(self.worker_pids()), signal.SIGKILL)  # noqa: S311

    def kill_master(self) -> None:
        """Kill the master alone: its orphaned workers notice within a second and end gracefully."""
        for pid in self.worker_pids():
            with suppress(ProcessLookupError):
                self._orphan_pidfds.append(os.pidfd_open(pid))
        self.process.kill()
        self.process.wait(STOP_TIMEOUT_SECONDS)

    def terminate(self) -> float:
        """Send SIGTERM; return the moment before."""
        moment = time.monotonic()
        self.process.terminate()
        return moment

    def wait_until_draining(self) -> None:
        """Wait until no worker accepts new connections."""
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        while self._is_responding(PROBE_TIMEOUT_SECONDS, "/healthz"):
            assert time.monotonic() < deadline, "gunicorn still accepts connections after SIGTERM"

    def wait_for_exit(self) -> int:
        """Return gunicorn's exit status."""
        return self.process.wait(STOP_TIMEOUT_SECONDS)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, traceback)
        while self._orphan_pidfds:
            orphan = self._orphan_pidfds.pop()
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(orphan, signal.SIGKILL)
            os.close(orphan)
        self._listener.close()

    def _is_responding(self, seconds: float, path: str = "/readyz") -> bool:
        with closing(Browser(self.port, seconds)) as browser, suppress(ConnectionCut):
            return browser.get(path).status == 200
        return False


def worker(environment: dict[str, str], folder: Path) -> KillableProcess:
    """Return `foyer worker`, not started yet."""
    return KillableProcess(app_processes.WORKER_ARGUMENTS, {**environment, **app_processes.WITHOUT_DOTENV}, folder)
