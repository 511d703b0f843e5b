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
OK: Reply = (200, {}, b"")


@dataclass
class Receiver:
    """What came, in the order it came: whole deliveries, and how many did not verify."""

    port: int = 0
    secret: str = SECRET
    came: list[dict[str, Any]] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    taken: dict[str, dict[str, Any]] = field(default_factory=dict)
    unverified: int = 0
    reply: Callable[[dict[str, Any]], Reply] = lambda _: OK
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def url(self) -> str:
        """Where hand-offs go."""
        return f"http://127.0.0.1:{self.port}/foyer"

    @property
    def types(self) -> list[str]:
        """The types of what came."""
        return [delivery["type"] for delivery in self.came]

    def orders(self) -> dict[str, list[int]]:
        """Return the sequence numbers of what was taken, in the order it first was, for each subscription."""
        orders = defaultdict[str, list[int]](list)
        for webhook_id, delivery in self.taken.items():
            assert webhook_id in self.ids
            orders[delivery["data"]["subscription"]["id"]].append(delivery["data"]["sequence"])
        return dict(orders)

    def take(self, body: bytes, headers: dict[str, str]) -> Reply:
        """Verify a delivery, remember it, and answer as the test has it."""
        try:
            delivery = Webhook(self.secret).verify(body, headers)
        except WebhookVerificationError:
            with self.lock:
                self.unverified += 1
            return 401, {}, b""
        with self.lock:
            self.came.append(delivery)
            self.ids.append(headers["webhook-id"])
        reply = self.reply(delivery)
        if 200 <= reply[0] < 300:
            with self.lock:
                self.taken.setdefault(headers["webhook-id"], delivery)
        return reply


def answering(status: int = 200, headers: dict[str, str] | None = None, **said: Any) -> Reply:
    """Return an answer, with JSON where something is said."""
    return status, headers or {}, json.dumps(said).encode() if said else b""


@contextmanager
def receiving(receiver: Receiver | None = None) -> Iterator[Receiver]:
    """Run a product's receiver on a port of this machine."""
    product = receiver or Receiver()

    class Door(BaseHTTPRequestHandler):
        def do_POST(self) -> None:  # http.server calls it so
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status, headers, answer = product.take(body, {name.lower(): value for name, value in self.headers.items()})
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
