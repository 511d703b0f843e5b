"""A network in which one host name has the public addresses that a test chooses; its servers run on this machine."""

import socket
from dataclasses import dataclass, field
from typing import Any

import pytest

NO_ROUTE = OSError(101, "Network is unreachable")


@dataclass
class FakeNetwork:
    """For each address of the name, the port of this machine that it leads to, or the error of connecting to it.

    `dialled` are the addresses that were connected to, in order.
    """

    answers: dict[str, int | OSError] = field(default_factory=dict)
    dialled: list[str] = field(default_factory=list)

    def resolve(self, host: str, port: int, *_: object, **__: object) -> list[Any]:
        """Stand in for `socket.getaddrinfo`: every name has these addresses."""
        found = [host] if host in self.answers else list(self.answers)
        return [
            (socket.AF_INET6, socket.SOCK_STREAM, 6, "", (address, port, 0, 0))
            if ":" in address
            else (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))
            for address in found
        ]


def install(monkeypatch: pytest.MonkeyPatch) -> FakeNetwork:
    """Replace name resolution and connecting until the test ends."""
    network, connect_here = FakeNetwork(), socket.socket.connect

    def connect(connecting: socket.socket, address: Any) -> None:
        network.dialled.append(address[0])
        answer = network.answers[address[0]]
        if isinstance(answer, OSError):
            raise answer
        is_ipv6 = connecting.family == socket.AF_INET6
        connect_here(connecting, ("::1", answer, 0, 0) if is_ipv6 else ("127.0.0.1", answer))

    monkeypatch.setattr(socket, "getaddrinfo", network.resolve)
    monkeypatch.setattr(socket.socket, "connect", connect)
    return network
