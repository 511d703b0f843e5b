"""Ports of this machine that stay free until a test opens them."""

import itertools
import os
import socket

# Below those that systems give to outgoing connections (Linux from 32768, macOS and Windows from 49152), of which the
# tests make thousands: such a port, once closed, may be one's own no more when it is to be opened again.
FIRST_PORT = 20_000
PORTS_PER_PROCESS = 500

# Processes that run tests side by side have numbers: gw0, gw1, ...
_process_number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
_ports = itertools.cycle(
    range(FIRST_PORT + _process_number * PORTS_PER_PROCESS, FIRST_PORT + (_process_number + 1) * PORTS_PER_PROCESS)
)


def free_port() -> int:
    """Return a port that nothing listens on and that nobody else is given, be it opened at once, late or twice."""
    return next(port for port in _ports if _is_free(port))


def _is_free(port: int) -> bool:
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True
