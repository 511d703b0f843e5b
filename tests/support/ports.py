"""Finds TCP ports that stay free until a test opens them."""

import itertools
import os
import socket

# Below the ports for outgoing connections (Linux from 32768, macOS and Windows from 49152), of which the tests make
# thousands: from that range the system may give a closed port away before the test opens it again.
FIRST_PORT = 20_000
PORTS_PER_PROCESS = 500

# pytest-xdist names its processes gw0, gw1, ...
_process_number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
_ports = itertools.cycle(
    range(FIRST_PORT + _process_number * PORTS_PER_PROCESS, FIRST_PORT + (_process_number + 1) * PORTS_PER_PROCESS)
)


def free_port() -> int:
    """Return a port on which nothing listens and that no other call returns soon: open it now, later or twice."""
    return next(port for port in _ports if _is_free(port))


def _is_free(port: int) -> bool:
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True
