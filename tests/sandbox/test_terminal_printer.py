"""What `make run` prints of its processes, and what it does when nobody can read it any more."""

import io
import os
import pty
import signal
import socket
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from honcho.manager import SYSTEM_PRINTER_NAME
from honcho.printer import Message

from sandbox.terminal_printer import TerminalPrinter
from tests.support.ports import free_port

ROOT = Path(__file__).parents[2]

PRINT_TWO_LINES = """
import sys
from datetime import datetime
from honcho.printer import Message
from sandbox.terminal_printer import TerminalPrinter
for line in ("one", "two"):
    TerminalPrinter(sys.stdout).write(Message("line", line, datetime.now(), "app", None))
"""
WAIT_FOR_EVER = """
import os, signal, sys
from sandbox.terminal_printer import stop_when_closed
stop_when_closed(sys.stdout.fileno())
os.write(sys.stdout.fileno(), b"begun")
signal.pause()
"""


def printed(*lines: tuple[str, str | bytes]) -> list[str]:
    """Return what is printed of lines, each with the name of its process."""
    printer = TerminalPrinter(io.StringIO())
    for name, data in lines:
        printer.write(Message("line", data, datetime(2026, 11, 29, tzinfo=UTC), name, None))
    return printer.output.getvalue().splitlines()  # type: ignore[no-any-return]


def test_lines_of_processes_are_printed_with_their_name() -> None:
    assert printed(("app", b"[warning  ] token.stored\n")) == ["00:00:00 app | [warning  ] token.stored"]


def test_addresses_of_single_servers_are_not_printed() -> None:
    lines = [("sandbox", b"Storefront http://127.0.0.1:8001, AWS endpoint http://127.0.0.1:8002\n")]
    lines += [("example", b"Example product http://127.0.0.1:8003\n")]

    assert printed(*lines) == []


def test_stop_by_ctrl_c_is_one_line() -> None:
    lines = ["app started (pid=1)\n", "SIGINT received\n", "sending SIGTERM to app (pid 1)\n", "app stopped (rc=0)\n"]

    assert printed(*((SYSTEM_PRINTER_NAME, line) for line in lines)) == ["", "Stopping ..."]


def test_process_that_stops_by_itself_is_named() -> None:
    lines: list[tuple[str, str | bytes]] = [("app", b"no memory\n"), (SYSTEM_PRINTER_NAME, "app stopped (rc=1)\n")]
    lines += [(SYSTEM_PRINTER_NAME, "sending SIGTERM to worker (pid 2)\n"), (SYSTEM_PRINTER_NAME, "SIGTERM received\n")]

    text = printed(*lines)

    assert text[0].endswith("no memory")
    assert text[2:] == ["app stopped with status 1, so everything stops. Its last lines are above, marked app."]


def test_printer_survives_a_closed_output() -> None:
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "wb") as closed_pipe:
        result = subprocess.run([sys.executable, "-c", PRINT_TWO_LINES], cwd=ROOT, stdout=closed_pipe, check=False)

    assert result.returncode == 0


@pytest.mark.parametrize("open_output", [os.pipe, pty.openpty], ids=["pipe", "terminal"])
def test_closed_output_stops_the_run_like_ctrl_c(open_output: object) -> None:
    read, write = open_output()  # type: ignore[operator]
    command = [sys.executable, "-c", WAIT_FOR_EVER]
    with subprocess.Popen(command, cwd=ROOT, stdout=write, stderr=subprocess.PIPE, start_new_session=True) as process:
        os.close(write)
        assert os.read(read, 5) == b"begun"
        os.close(read)
        try:
            _, errors = process.communicate(timeout=10)
        finally:
            process.kill()

    assert process.returncode == -signal.SIGINT, errors


def test_worker_waits_until_every_server_is_open() -> None:
    with socket.create_server(("127.0.0.1", free_port())) as first:
        second_port = free_port()
        ports = f"{first.getsockname()[1]},{second_port}"
        command = [sys.executable, "-m", "sandbox.start_after", ports, sys.executable, "-c", "print('begun')"]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
            for _ in range(2):
                first.accept()[0].close()
            status = process.poll()
            with socket.create_server(("127.0.0.1", second_port)):
                output, _ = process.communicate(timeout=10)

    assert status is None
    assert output == "begun\n"
