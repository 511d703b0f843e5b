"""A seller's product as far as hand-offs go, written with nothing but the public standardwebhooks package."""

import json
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from standardwebhooks import Webhook, WebhookVerificationError

SECRET = "whsec_Zm95ZXItdGVzdHMtb25seS1ub3QtYS1zZWNyZXQhIQ=="
Reply = tuple[int, dict[str, str], bytes]
OK_REPLY: Reply = (200, {}, b"")


@dataclass
class HandoffReceiver:
    """What came, in the order it came: whole deliveries, and how many did not verify."""

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
        """Where hand-offs go."""
        return f"http://127.0.0.1:{self.port}/foyer"

    @property
    def event_types(self) -> list[str]:
        """The types of what came."""
        return [delivery["type"] for delivery in self.deliveries]

    def accepted_sequences(self) -> dict[str, list[int]]:
        """Return the sequence numbers of what was taken, in the order it first was, for each subscription."""
        orders = defaultdict[str, list[int]](list)
        for webhook_id, delivery in self.accepted.items():
            assert webhook_id in self.webhook_ids
            orders[delivery["data"]["subscription"]["id"]].append(delivery["data"]["sequence"])
        return dict(orders)

    def receive(self, body: bytes, headers: dict[str, str]) -> Reply:
        """Verify a delivery, remember it, and answer as the test has it."""
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
    """Return an answer, with JSON where something is said."""
    return status, headers or {}, json.dumps(body).encode() if body else b""


@contextmanager
def serve(handoff_receiver: HandoffReceiver | None = None) -> Iterator[HandoffReceiver]:
    """Run a product's receiver on a port of this machine."""
    product = handoff_receiver or HandoffReceiver()

    class Door(BaseHTTPRequestHandler):
        def do_POST(self) -> None:  # http.server calls it so
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status, headers, answer = product.receive(
                body, {name.lower(): value for name, value in self.headers.items()}
            )
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(answer))}.items():
                self.send_header(name, value)
            # A worker that was killed meanwhile does not hear it.
            with suppress(ConnectionError):
                self.end_headers()
                self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", product.port), Door) as server:
        product.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield product
        server.shutdown()
        thread.join()
