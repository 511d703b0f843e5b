"""The ports that everything on this machine answers on: free at the start, open a little later."""

import errno
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Mapping

LOOPBACK_ADDRESSES = ("127.0.0.1", "::1")
POLL_INTERVAL_SECONDS = 0.2


def check_free(ports: Mapping[str, str]) -> None:
    """End with a message that names the setting to change where a port is in use.

    Raises:
        SystemExit: a port of the mapping, setting's name to number, is in use on this machine.
    """
    for setting, port in ports.items():
        if any(_is_in_use(host, int(port)) for host in LOOPBACK_ADDRESSES):
            raise SystemExit(
                f"Port {port} is in use. Stop what listens there, or set {setting} to a free port: "
                f"{setting}={int(port) % 65535 + 1} make run"
            )


def loopback_addresses() -> list[str]:
    """Return this machine's loopback addresses: browsers and curl may take localhost for either kind."""
    return [host for host in LOOPBACK_ADDRESSES if _is_available(host)]


def wait_until_answering(urls: list[str], cancelled: threading.Event) -> bool:
    """Return whether every URL has come to answer, before the waiting was given up."""
    waited_for = list(urls)
    while waited_for and not cancelled.wait(POLL_INTERVAL_SECONDS):
        waited_for = [url for url in waited_for if not _answers(url)]
    return not waited_for


def _answers(url: str) -> bool:
    try:
        # The URLs are this machine's own, and no proxy is to be asked for them.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(url, timeout=2):
            return True
    except (urllib.error.URLError, OSError):
        return False


def _is_in_use(host: str, port: int) -> bool:
    return _try_bind(host, port) == errno.EADDRINUSE


def _is_available(host: str) -> bool:
    return _try_bind(host, 0) == 0


def _try_bind(host: str, port: int) -> int:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family) as listener:
            # As servers do, so that connections just closed do not count as a listener.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((host, port))
    except OSError as error:
        return error.errno or errno.EADDRNOTAVAIL
    return 0
