"""Processes of the bench: started, read from /proc with all their children, and ended."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

ROOT = Path(__file__).parents[2]
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
STOP_TIMEOUT_SECONDS = 5


@contextmanager
def run_python(
    arguments: list[str], environment: dict[str, str], log: Path, inherited_fd: int | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run this Python with the arguments, its errors in the log, and end it and its children afterwards."""
    with log.open("ab") as errors:
        process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            pass_fds=() if inherited_fd is None else (inherited_fd,),
            # Ctrl-C is for the bench, which then ends its processes in order.
            start_new_session=True,
        )
    try:
        yield process
    finally:
        terminate(process)


def terminate(process: subprocess.Popen[bytes]) -> None:
    """End the process and its children: asked first, then by force."""
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
    """Return the process's id and those of its children and theirs."""
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        children = [int(child) for task in tasks for child in (task / "children").read_text().split()]
    except FileNotFoundError:
        return []
    return [pid, *(member for child in children for member in process_tree(child))]


def cpu_seconds(pid: int) -> float:
    """Return the CPU time, in user and kernel, that the process and its living children have taken."""
    return sum(_cpu_ticks(member) for member in process_tree(pid)) / TICKS_PER_SECOND


def memory_mb(pid: int, field: str) -> float:
    """Return the process's memory: `Rss` is all it maps, `Pss` counts what it shares by its share."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) / 1024
    raise ValueError(field)


def _cpu_ticks(pid: int) -> int:
    try:
        # The second field is the name, which may hold spaces and brackets.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except FileNotFoundError:
        return 0
    return int(fields[11]) + int(fields[12])


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
