"""A product that receives hand-offs, written with nothing but the public standardwebhooks package."""

import json
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from standardwebhooks import Webhook, WebhookVerificationError

from tests.support.local_server import serving

SECRET = "whsec_Zm95ZXItdGVzdHMtb25seS1ub3QtYS1zZWNyZXQhIQ=="
Reply = tuple[int, dict[str, str], bytes]
OK_REPLY: Reply = (200, {}, b"")


@dataclass
class HandoffReceiver:
    """The hand-offs a product received, in order of receipt; `reply` decides how it answers."""

    port: int = 0
    secret: str = SECRET
    deliveries: list[dict[str, Any]] = field(default_factory=list)
    webhook_ids: list[str] = field(default_factory=list)
    accepted: dict[str, dict[str, Any]] = field(default_factory=dict)
    unverified_count: int = 0
    reply: Callable[[dict[str, Any]], Reply] = lambda _: OK_REPLY
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/foyer"

    @property
    def event_types(self) -> list[str]:
        return [delivery["type"] for delivery in self.deliveries]

    def accepted_sequences(self) -> dict[str, list[int]]:
        """Return each subscription's accepted sequence numbers, in the order of their first acceptance."""
        sequences = defaultdict[str, list[int]](list)
        for webhook_id, delivery in self.accepted.items():
            assert webhook_id in self.webhook_ids
            sequences[delivery["data"]["subscription"]["id"]].append(delivery["data"]["sequence"])
        return dict(sequences)

    def receive(self, body: bytes, headers: dict[str, str]) -> Reply:
        """Verify and record a delivery; answer 401 to a wrong signature, else as `reply` decides."""
        try:
            delivery = Webhook(self.secret).verify(body, headers)
        except WebhookVerificationError:
            with self.lock:
                self.unverified_count += 1
            return 401, {}, b""
        with self.lock:
            self.deliveries.append(delivery)
            self.webhook_ids.append(headers["webhook-id"])
        reply = self.reply(delivery)
        if 200 <= reply[0] < 300:
            with self.lock:
                self.accepted.setdefault(headers["webhook-id"], delivery)
        return reply


def json_reply(status: int = 200, headers: dict[str, str] | None = None, **body: Any) -> Reply:
    """Return a reply whose body is JSON, or empty if no field is given."""
    return status, headers or {}, json.dumps(body).encode() if body else b""


@contextmanager
def serve(handoff_receiver: HandoffReceiver | None = None) -> Iterator[HandoffReceiver]:
    """Serve the receiver on a port of this machine."""
    product = handoff_receiver or HandoffReceiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:  # http.server's name
            body = self.rfile.read(length := int(self.headers["Content-Length"]))
            if len(body) < length:
                # A worker that was killed meanwhile: this is no request.
                self.close_connection = True
                return
            status, headers, reply_body = product.receive(
                body, {name.lower(): value for name, value in self.headers.items()}
            )
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(reply_body))}.items():
                self.send_header(name, value)
            # A worker that was killed meanwhile has closed the connection.
            with suppress(ConnectionError):
                self.end_headers()
                self.wfile.write(reply_body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", product.port), Handler)
    product.port = server.server_port
    with serving(server):
        yield product
