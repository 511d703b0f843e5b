"""A reverse proxy with the headers, rules and health checks of an Application Load Balancer, without its TLS."""

import re
import select
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, NamedTuple, Self

from tests.support.target_group import Address, HealthCheck, TargetGroup

# https://docs.aws.amazon.com/elasticloadbalancing/latest/application/x-forwarded-headers.html
VALID_HEADER = re.compile(r"[-A-Za-z0-9]+")
HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade", "proxy-connection"}
OWN_HEADERS = {"x-forwarded-for", "x-forwarded-proto", "x-forwarded-port"}
TARGET_TIMEOUT_SECONDS = 60


class Answer(NamedTuple):
    """A response: `body` is complete."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes = b""


@dataclass(frozen=True)
class GatewayError:
    """A request that the load balancer answered by itself with 502 or 503, because its target did not answer."""

    at: float
    address: Address | None
    was_sent: bool


class Listener(NamedTuple):
    """One port of the load balancer: the actions of its rules by their path patterns, and the default action."""

    protocol: str
    port: int
    rules: list[tuple[list[str], dict[str, Any]]]
    default: dict[str, Any]

    def action(self, path: str) -> dict[str, Any]:
        """Return the action for a request's path, by the first rule that matches."""
        for patterns, action in self.rules:
            if any(fnmatchcase(path, pattern) for pattern in patterns):
                return action
        return self.default


def read_listeners(listeners: Sequence[Mapping[str, Any]], rules: Sequence[Mapping[str, Any]]) -> list[Listener]:
    """Return the listeners of a template; each rule is of the listener whose protocol is HTTPS."""
    ordered = sorted(rules, key=lambda rule: int(rule["Priority"]))
    read = [(rule["Conditions"][0]["PathPatternConfig"]["Values"], rule["Actions"][0]) for rule in ordered]
    return [
        Listener(made["Protocol"], made["Port"], read if made["Protocol"] == "HTTPS" else [], made["DefaultActions"][0])
        for made in listeners
    ]


class LoadBalancer:
    """Serves each listener on a free port of this machine, inside a `with` block."""

    def __init__(self, listeners: list[Listener], check: HealthCheck) -> None:
        self.targets = TargetGroup(check)
        self.statuses: Counter[int] = Counter()
        self.gateway_errors: list[GatewayError] = []
        self._lock = threading.Lock()
        self._servers = {listener.protocol: _serve(self, listener) for listener in listeners}

    @property
    def https_port(self) -> int:
        """The port that stands for 443."""
        return int(self._servers["HTTPS"].server_address[1])

    @property
    def http_port(self) -> int:
        """The port that stands for 80."""
        return int(self._servers["HTTP"].server_address[1])

    def __enter__(self) -> Self:
        for server in self._servers.values():
            threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for server in self._servers.values():
            server.shutdown()
            server.server_close()
        self.targets.close()

    def count(self, status: int) -> None:
        """Count an answer to a client."""
        with self._lock:
            self.statuses[status] += 1

    def fail(self, status: int, address: Address | None, *, was_sent: bool) -> Answer:
        """Record that no target answered; return what the client gets."""
        with self._lock:
            self.gateway_errors.append(GatewayError(time.monotonic(), address, was_sent))
        return Answer(status, [("Content-Type", "text/html")], b"<h1>No target answered</h1>")


class _Handler(BaseHTTPRequestHandler):
    """One client's connection; it keeps a connection to each target that it was sent to."""

    protocol_version = "HTTP/1.1"
    # A head and a body in two packets would wait for each other.
    wbufsize = -1
    disable_nagle_algorithm = True
    balancer: LoadBalancer
    listener: Listener

    def setup(self) -> None:
        super().setup()
        self._connections: dict[Address, HTTPConnection] = {}

    def finish(self) -> None:
        for connection in self._connections.values():
            connection.close()
        super().finish()

    def log_message(self, *_: object) -> None:
        """Log nothing."""

    def __getattr__(self, name: str) -> Any:
        # http.server looks for `do_GET`, `do_POST` and so on.
        if name.startswith("do_"):
            return self._answer
        raise AttributeError(name)

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        action = self.listener.action(self.path.partition("?")[0])
        match action["Type"]:
            case "fixed-response":
                answer = Answer(int(action["FixedResponseConfig"]["StatusCode"]), [])
            case "redirect":
                answer = self._redirect(action["RedirectConfig"])
            case "forward":
                answer = self._forward(body)
        self.balancer.count(answer.status)
        self.send_response_only(answer.status)
        for name, value in answer.headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(b"" if self.command == "HEAD" else answer.body)

    def _redirect(self, config: Mapping[str, str]) -> Answer:
        host = self.headers["Host"].partition(":")[0]
        target = f"{config['Protocol'].lower()}://{host}:{config['Port']}{self.path}"
        return Answer(int(config["StatusCode"].removeprefix("HTTP_")), [("Location", target)])

    def _forward(self, body: bytes) -> Answer:
        address = self.balancer.targets.choose()
        if address is None:
            return self.balancer.fail(503, None, was_sent=False)
        was_sent = False
        try:
            connection = self._connect(address)
            was_sent = True
            self._send(connection, body)
            response = connection.getresponse()
            headers = [(name, value) for name, value in response.getheaders() if name.lower() not in HOP_BY_HOP]
            return Answer(response.status, _without_length(headers), response.read())
        except (OSError, HTTPException):
            self._connections.pop(address).close()
            return self.balancer.fail(502, address, was_sent=was_sent)

    def _connect(self, address: Address) -> HTTPConnection:
        connection = self._connections.setdefault(address, HTTPConnection(*address, timeout=TARGET_TIMEOUT_SECONDS))
        if connection.sock and select.select([connection.sock], [], [], 0)[0]:
            # The target has closed it.
            connection.close()
        if connection.sock is None:
            connection.connect()
        return connection

    def _send(self, connection: HTTPConnection, body: bytes) -> None:
        connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            if VALID_HEADER.fullmatch(name) and name.lower() not in HOP_BY_HOP | OWN_HEADERS:
                connection.putheader(name, value)
        earlier = self.headers.get("X-Forwarded-For")
        client = str(self.client_address[0])
        connection.putheader("X-Forwarded-For", f"{earlier}, {client}" if earlier else client)
        connection.putheader("X-Forwarded-Proto", self.listener.protocol.lower())
        connection.putheader("X-Forwarded-Port", str(self.listener.port))
        connection.endheaders(body)


def _without_length(headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(name, value) for name, value in headers if name.lower() != "content-length"]


def _serve(balancer: LoadBalancer, listener: Listener) -> ThreadingHTTPServer:
    handler = type("Handler", (_Handler,), {"balancer": balancer, "listener": listener})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler, bind_and_activate=False)
    server.request_queue_size = 512
    server.daemon_threads = True
    server.server_bind()
    server.server_activate()
    return server
