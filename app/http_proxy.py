"""The way through the proxy in HTTPS_PROXY, unless NO_PROXY names the host, as calls to AWS go.

The proxy looks the host's name up, and connects to it. So it is the proxy that has to refuse private addresses. What is
sent is encrypted between here and the host: the proxy sees the name and the port. With `https://` in HTTPS_PROXY, the
connection to the proxy is encrypted as well.
"""

import socket
import ssl
from base64 import b64encode
from dataclasses import dataclass, field
from typing import cast
from urllib.parse import unquote, urlsplit

from httpcore2 import URL, HTTP11Connection, Origin, Request
from requests.utils import get_environ_proxies
from urllib3.exceptions import LocationValueError
from urllib3.util import parse_url

from app import http_network
from app.errors import FoyerError
from app.http_network import DeadlineStream

DEFAULT_PORTS = {"http": 80, "https": 443}


class TunnelRefused(FoyerError):
    """The proxy does not connect to the host. `code` is its HTTP status."""


@dataclass(frozen=True)
class Proxy:
    """An HTTP proxy. `authorization` is the value of Proxy-Authorization; empty without user and password."""

    scheme: str
    host: str
    port: int
    authorization: str = field(default="", repr=False)

    def __str__(self) -> str:
        return f"{self.scheme}://{_with_port(self.host, self.port)}"


def find(url: str) -> Proxy | None:
    """Return the proxy for requests to the URL, which names a host; None where they go directly.

    Those over plain HTTP do: their product is inside the network, and the proxy would read them.

    Raises:
        LocationValueError: HTTPS_PROXY is not the URL of an HTTP proxy.
    """
    found = get_environ_proxies(url).get("https") if urlsplit(url).scheme == "https" else None
    if not found:
        return None
    parsed = parse_url(found if "://" in found else f"http://{found.removeprefix('//')}")
    if parsed.scheme not in DEFAULT_PORTS or not parsed.host:
        raise LocationValueError("HTTPS_PROXY is not the URL of an HTTP proxy")
    user, _, password = (parsed.auth or "").partition(":")
    credentials = b64encode(f"{unquote(user)}:{unquote(password)}".encode()).decode()
    authorization = f"Basic {credentials}" if parsed.auth else ""
    port = parsed.port or DEFAULT_PORTS[parsed.scheme]
    return Proxy(parsed.scheme, parsed.host.strip("[]"), port, authorization)


def connect(proxy: Proxy, host: Origin, deadline: float, connect_seconds: float) -> socket.socket:
    """Return a connection that the proxy passes on to the host, and back, byte by byte.

    Raises:
        TunnelRefused: the proxy answered, and does not connect to the host.
        ConnectError, OSError: the proxy cannot be reached, does not answer in time, or closes.
        ProtocolError: what the proxy answers is not HTTP.
    """
    connected = http_network.connect(proxy.host, proxy.port, deadline, connect_seconds, allow_private=True)
    if proxy.scheme == "https":
        connected = cast(ssl.SSLSocket, http_network.encrypt(connected, proxy.host, deadline))
    try:
        status = _request_tunnel(proxy, _with_port(host.host.decode(), host.port), DeadlineStream(connected, deadline))
        if status // 100 != 2:
            raise TunnelRefused(str(status))
    except BaseException:
        connected.close()
        raise
    return connected


def _request_tunnel(proxy: Proxy, target: str, stream: DeadlineStream) -> int:
    url = URL(scheme=proxy.scheme, host=proxy.host, port=proxy.port, target=target)
    fields = [("Host", target), ("User-Agent", "foyer")]
    if proxy.authorization:
        fields.append(("Proxy-Authorization", proxy.authorization))
    # The response is not closed: that would close the stream, which is the host's from now on.
    return HTTP11Connection(url.origin, stream).handle_request(Request("CONNECT", url, headers=fields)).status


def _with_port(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
