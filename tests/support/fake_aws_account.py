"""An AWS endpoint in front of the sandbox's: a test answers single operations itself, moto answers all others."""

import json
import re
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit
from xml.sax.saxutils import escape

from moto.core.serialize import get_serializer_class
from moto.core.utils import get_service_model

# botocore's services by the name that requests are signed for.
SERVICES = {
    name: name for name in ("acm", "cloudformation", "ecr", "ecs", "events", "logs", "rds", "route53", "sqs", "sts")
} | {"ses": "sesv2", "aws-marketplace": "marketplace-catalog"}
SIGNED_FOR = re.compile(r"Credential=[^/]+/\d+/(?P<region>[^/]+)/(?P<service>[^/]+)/aws4_request")
ACCOUNT_ID = "123456789012"


class AwsError(Exception):
    """An answer with this error code."""

    def __init__(self, code: str, message: str = "") -> None:
        super().__init__(message)
        self.code, self.message = code, message


@dataclass(frozen=True)
class Call:
    """One call to AWS: the operation, such as ecs.RunTask, the Region and the parameters as they were sent."""

    name: str
    region: str
    parameters: dict[str, Any]


Answer = Callable[[Call], dict[str, Any]]


@dataclass
class FakeAwsAccount:
    """Serves in threads, for the time of a `with` block. `answers` are by operation, `pages` by path."""

    other_url: str
    answers: dict[str, Answer] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)
    pages: dict[str, str] = field(default_factory=dict)

    def __enter__(self) -> Self:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler_class())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def fail(self, operation: str, code: str, message: str) -> None:
        """Answer the operation with an error from now on."""

        def answer(call: Call) -> dict[str, Any]:
            raise AwsError(code, message)

        self.answers[operation] = answer

    def give(self, operation: str, **result: Any) -> None:
        """Answer the operation with this from now on."""
        self.answers[operation] = lambda _: result

    def called(self, operation: str) -> list[dict[str, Any]]:
        """Return the parameters of each call of the operation."""
        return [call.parameters for call in self.calls if call.name == operation]

    def _answer(self, call: Call, model: Any) -> tuple[int, dict[str, str], bytes]:
        try:
            result = self.answers[call.name](call)
        except AwsError as error:
            return _error(error, model.service_model.protocol)
        if model.service_model.protocol == "rest-json":
            return 200, {"Content-Type": "application/json"}, json.dumps(result).encode()
        serializer = get_serializer_class(model.service_model.service_name, model.service_model.protocol)
        made = serializer(model).serialize(result)
        body = made["body"] if isinstance(made["body"], bytes) else str(made["body"]).encode()
        return made["status_code"], {name: str(value) for name, value in made["headers"].items()}, body

    def _forward(self, handler: BaseHTTPRequestHandler, body: bytes) -> tuple[int, dict[str, str], bytes]:
        address = urlsplit(self.other_url)
        connection = HTTPConnection(address.hostname or "", address.port)
        try:
            connection.request(handler.command, handler.path, body, dict(handler.headers.items()))
            response = connection.getresponse()
            kept = [name for name, _ in response.getheaders() if name.lower().startswith(("x-amz", "content-t"))]
            return response.status, {name: str(response.headers[name]) for name in kept}, response.read()
        finally:
            connection.close()

    def _handler_class(fake) -> type[BaseHTTPRequestHandler]:  # noqa: N805  # `self` is the handler, below
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # Head and body in one packet: the client would wait 40 ms between them.
            wbufsize = -1

            def handle_any(self) -> None:
                headers: dict[str, str]
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                call, model = _read(self.command, self.path, dict(self.headers.items()), body)
                fake.calls.append(call)
                if self.path in fake.pages:
                    status, headers, content = 200, {}, fake.pages[self.path].encode()
                elif call.name in fake.answers:
                    status, headers, content = fake._answer(call, model)
                else:
                    status, headers, content = fake._forward(self, body)
                self.send_response_only(status)
                for name, value in {**headers, "Content-Length": str(len(content))}.items():
                    self.send_header(name, value)
                # The program may have been ended meanwhile.
                with suppress(OSError):
                    self.end_headers()
                    self.wfile.write(content)

            do_GET = do_POST = do_PUT = do_DELETE = handle_any  # noqa: N815  # http.server's names

            def log_message(self, *_: object) -> None:
                pass

        return Handler


def _read(method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[Call, Any]:
    """Return the call, and the model of its operation; None for a request that is of no service here."""
    signed = SIGNED_FOR.search(headers.get("Authorization", ""))
    if not signed or signed["service"] not in SERVICES:
        return Call(f"{method} {path}", signed["region"] if signed else "", {}), None
    service = SERVICES[signed["service"]]
    model = get_service_model(service)
    parameters: dict[str, Any]
    if "X-Amz-Target" in headers:
        operation = headers["X-Amz-Target"].rpartition(".")[2]
        parameters = json.loads(body or b"{}")
    elif model.protocol == "query":
        parameters = dict(parse_qsl(body.decode(), keep_blank_values=True))
        operation = parameters.pop("Action")
    else:
        operation = _rest_operation(model, method, urlsplit(path).path)
        parameters = {"path": path, **(json.loads(body) if body.startswith(b"{") else {})}
    return Call(f"{service}.{operation}", signed["region"], parameters), model.operation_model(operation)


def _rest_operation(model: Any, method: str, path: str) -> str:
    for name in model.operation_names:
        http = model.operation_model(name).http
        uri = re.sub(r"\\\{[^}]*\\\}", "[^/]+", re.escape(http["requestUri"].partition("?")[0]))
        if http["method"] == method and re.fullmatch(uri, path):
            return str(name)
    raise LookupError(path)


def _error(error: AwsError, protocol: str) -> tuple[int, dict[str, str], bytes]:
    if "json" in protocol:
        body = json.dumps({"__type": error.code, "message": error.message}).encode()
        return 400, {"Content-Type": "application/x-amz-json-1.1", "x-amzn-ErrorType": error.code}, body
    text = f"<Code>{escape(error.code)}</Code><Message>{escape(error.message)}</Message>"
    return 400, {"Content-Type": "text/xml"}, f"<ErrorResponse><Error>{text}</Error></ErrorResponse>".encode()
