"""Starts and ends processes with their children, and reads their CPU time and memory from /proc."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

ROOT = Path(__file__).parents[2]
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
STOP_TIMEOUT_SECONDS = 5


@contextmanager
def run_python(
    arguments: list[str],
    environment: dict[str, str],
    log: Path,
    inherited_fd: int | None = None,
    *,
    python: str | Path = sys.executable,
    folder: Path = ROOT,
) -> Iterator[subprocess.Popen[bytes]]:
    """Run Python with the arguments in the folder, stderr appended to the log; end it and its children afterwards."""
    with log.open("ab") as errors:
        process = subprocess.Popen(
            [python, *arguments],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            pass_fds=() if inherited_fd is None else (inherited_fd,),
            # Ctrl-C must reach the bench alone, which then ends its processes in order.
            start_new_session=True,
        )
    try:
        yield process
    finally:
        terminate(process)


def terminate(process: subprocess.Popen[bytes]) -> None:
    """Send SIGTERM to the process; after 5 s kill it and its children."""
    tree = process_tree(process.pid)
    process.terminate()
    try:
        process.wait(STOP_TIMEOUT_SECONDS)
    except subprocess.TimeoutExpired:
        for pid in tree:
            _kill(pid)
        process.wait(STOP_TIMEOUT_SECONDS)
    if process.stdout:
        process.stdout.close()


def process_tree(pid: int) -> list[int]:
    """Return the ids of the process and all its descendants; none if it has ended."""
    try:
        children = child_pids(pid)
    except FileNotFoundError:
        return []
    return [pid, *(member for child in children for member in process_tree(child))]


def child_pids(pid: int) -> list[int]:
    """Return the ids of the process's children; FileNotFoundError if it has ended."""
    tasks = list(Path(f"/proc/{pid}/task").iterdir())
    return [int(child) for task in tasks for child in (task / "children").read_text().split()]


def cpu_seconds(pid: int) -> float:
    """Return the CPU time of the process and its descendants, with all their threads, those that have ended too."""
    return sum(_own_cpu_seconds(member) + _ended_children_cpu_seconds(member) for member in process_tree(pid))


def memory_mb(pid: int, field: str) -> float:
    """Return the process's memory in MB: `Rss` is all that it maps, `Pss` counts only its share of shared pages."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) / 1024
    raise ValueError(field)


def _own_cpu_seconds(pid: int) -> float:
    """Return the CPU time of a process by its clock, in nanoseconds: `/proc` leaves out threads that have ended."""
    try:
        # As the C function clock_getcpuclockid does: the last bits say "the scheduler's time, of the whole process".
        return time.clock_gettime((~pid << 3) | 2)
    except OSError:
        return 0


def _ended_children_cpu_seconds(pid: int) -> float:
    try:
        # The second field, the name, may contain spaces and brackets.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except FileNotFoundError:
        return 0
    return (int(fields[13]) + int(fields[14])) / TICKS_PER_SECOND


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
