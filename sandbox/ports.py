"""Ports of this machine: whether a server can listen on one, and whether it answers."""

import errno
import socket
import threading
import urllib.error
import urllib.request
from typing import Literal

LOOPBACK_ADDRESSES = ("127.0.0.1", "::1")
POLL_INTERVAL_SECONDS = 0.2

State = Literal["free", "in use", "not permitted"]


def find_state(port: int) -> State:
    """Return whether a server of this user can listen on the port, on all loopback addresses."""
    errors = {_try_bind(host, port) for host in LOOPBACK_ADDRESSES}
    if errno.EADDRINUSE in errors:
        return "in use"
    return "not permitted" if errors & {errno.EACCES, errno.EPERM} else "free"


def loopback_addresses() -> list[str]:
    """Return this machine's loopback addresses. Browsers and curl may resolve localhost to IPv4 or IPv6."""
    return [host for host in LOOPBACK_ADDRESSES if _is_available(host)]


def wait_until_answering(urls: list[str], cancelled: threading.Event) -> bool:
    """Wait until every URL answers, and return True; return False if the wait is cancelled first."""
    pending = list(urls)
    while pending and not cancelled.wait(POLL_INTERVAL_SECONDS):
        pending = [url for url in pending if not _answers(url)]
    return not pending


def _answers(url: str) -> bool:
    try:
        # The URLs are on this machine: a proxy could not reach them.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(url, timeout=2):
            return True
    except (urllib.error.URLError, OSError):
        return False


def _is_available(host: str) -> bool:
    return _try_bind(host, 0) == 0


def _try_bind(host: str, port: int) -> int:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family) as listener:
            # As servers do: otherwise recently closed connections would make the port look busy.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((host, port))
    except OSError as error:
        return error.errno or errno.EADDRNOTAVAIL
    return 0
