"""An AWS endpoint that gives scripted answers, for those the sandbox never gives."""

import json
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self


@dataclass(frozen=True)
class AwsResponse:
    """One answer: a dict is sent as JSON, a string as it is. `date` is the header; None: the time by this clock."""

    status: int
    body: dict[str, object] | str
    date: str | None = None


class _Server(ThreadingHTTPServer):
    # Many calls may come at once; socketserver's queue of five drops some, which are tried again a second later.
    request_queue_size = 128


class ScriptedAws:
    """Gives each request the next answer, and the last one again after that."""

    def __init__(self, responses: list[AwsResponse]) -> None:
        self._responses = responses
        self.request_count = 0
        self._server = _Server(("127.0.0.1", 0), self._handler_class())
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _next_response(self) -> AwsResponse:
        self.request_count += 1
        return self._responses[min(self.request_count, len(self._responses)) - 1]

    def _handler_class(fake) -> type[BaseHTTPRequestHandler]:  # noqa: N805  # `self` is the handler, below
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:  # http.server's name
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                response = fake._next_response()
                body = response.body if isinstance(response.body, str) else json.dumps(response.body)
                self.send_response_only(response.status)
                self.send_header("Date", response.date or self.date_time_string())
                self.send_header("Content-Type", "application/x-amz-json-1.1")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body.encode())

            do_GET = do_POST  # noqa: N815  # http.server's name

            def log_message(self, *_: object) -> None:
                pass

        return Handler
