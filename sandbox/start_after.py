"""`python -m sandbox.start_after PORT,PORT COMMAND...`: becomes the command once those ports are open."""

import os
import signal
import socket
import sys
import time

POLL_INTERVAL_SECONDS = 0.1


def main(ports: str, *command: str) -> None:
    """Wait for the ports, for as long as it takes, and replace this process by the command."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # a stop while waiting is no traceback
    while not all(_is_open(int(port)) for port in ports.split(",")):
        time.sleep(POLL_INTERVAL_SECONDS)
    os.execvp(command[0], command)  # noqa: S606  # the command is ours


def _is_open(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=2).close()
    except OSError:
        return False
    return True


if __name__ == "__main__":
    main(*sys.argv[1:])
