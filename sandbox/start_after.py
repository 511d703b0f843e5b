"""`python -m sandbox.start_after PORT COMMAND...`: becomes the command once that port on this machine is open."""

import os
import signal
import socket
import sys
import time

POLL_INTERVAL_SECONDS = 0.1


def main(port: str, *command: str) -> None:
    """Wait for the port, for as long as it takes, and replace this process by the command."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # a stop while waiting is no traceback
    while not _is_open(int(port)):
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
