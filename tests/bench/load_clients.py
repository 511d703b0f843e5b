"""The load: browsers on keep-alive connections, and a load balancer that polls /healthz.

They run in the bench's own process, which does nothing else meanwhile. Every response is checked.
"""

import asyncio
import re
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

RESPONSE_TIMEOUT_SECONDS = 15
CONTENT_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
HEALTH_REQUEST = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


@dataclass
class ResponseTally:
    """The latency of each request in seconds, the requests with their responses, and the errors."""

    latencies: list[float] = field(default_factory=list)
    exchanges: list[tuple[bytes, bytes]] = field(default_factory=list)
    errors: Counter[str] = field(default_factory=Counter)

    def add(self, seconds: float, request: bytes, response: bytes, expected: tuple[bytes, ...]) -> None:
        """Record one response; it is an error unless it contains every expected part."""
        self.latencies.append(seconds)
        self.exchanges.append((request, response))
        if not all(part in response for part in expected):
            self.errors[response.partition(b"\r\n")[0].decode(errors="replace")] += 1

    def quantile(self, share: float) -> float:
        """Return the latency in seconds that this share of the requests did not exceed."""
        ordered = sorted(self.latencies)
        return ordered[min(int(len(ordered) * share), len(ordered) - 1)] if ordered else 0.0


class LoadClient(asyncio.Protocol):
    """One connection, which sends its requests one after another and checks each response."""

    def __init__(self, requests: Iterator[bytes], expected: tuple[bytes, ...], tally: ResponseTally) -> None:
        self._requests, self._expected, self._tally = requests, expected, tally
        self._received = b""
        self._is_unfinished = True
        self.finished: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._send()

    def data_received(self, data: bytes) -> None:
        """Record the response once it is complete, and send the next request."""
        self._received += data
        head, end, body = self._received.partition(b"\r\n\r\n")
        length = CONTENT_LENGTH.search(head)
        if end and length and len(body) >= int(length[1]):
            self._tally.add(time.perf_counter() - self._sent_at, self._request, self._received, self._expected)
            self._received = b""
            self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        """Finish. A connection lost before the last response is an error."""
        if self._is_unfinished:
            self._tally.errors[f"connection lost: {type(exc).__name__}"] += 1
        self.finished.set_result(None)

    def time_out(self) -> None:
        """If its response has been missing for too long, record that and close the connection."""
        if time.perf_counter() - self._sent_at < RESPONSE_TIMEOUT_SECONDS:
            return
        self._tally.errors["no response"] += 1
        self._is_unfinished = False
        self._transport.abort()

    def _send(self) -> None:
        request = next(self._requests, None)
        if request is None:
            self._is_unfinished = False
            self._transport.close()
            return
        self._request, self._sent_at = request, time.perf_counter()
        self._transport.write(request)


async def send_requests(
    port: int, connections: int, requests: Iterator[bytes], expected: tuple[bytes, ...], ramp_up_seconds: float = 0
) -> ResponseTally:
    """Send all requests over this many connections, opened evenly over `ramp_up_seconds`."""
    tally = ResponseTally()
    loop = asyncio.get_running_loop()
    browsers: list[LoadClient] = []
    for _ in range(connections):
        opening = loop.create_connection(lambda: LoadClient(requests, expected, tally), "127.0.0.1", port)
        browsers.append((await opening)[1])
        await asyncio.sleep(ramp_up_seconds / connections)
    # A loop that ends before they are closed leaves their futures pending.
    while unfinished := [browser for browser in browsers if not browser.finished.done()]:
        await asyncio.wait([browser.finished for browser in unfinished], timeout=1)
        for browser in unfinished:
            if not browser.finished.done():
                browser.time_out()
    return tally


def requests_for_seconds(seconds: float, requests: Iterator[bytes]) -> Iterator[bytes]:
    """Yield requests until the time is over."""
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        yield next(requests)


async def poll_health(port: int, seconds: float, interval_seconds: float) -> ResponseTally:
    """Request /healthz at a steady pace, each time over a new connection as a load balancer does."""
    tally = ResponseTally()
    start = time.perf_counter()
    polls: list[asyncio.Task[None]] = []
    while (elapsed := time.perf_counter() - start) < seconds:
        polls.append(asyncio.create_task(_request_health(port, tally)))
        await asyncio.sleep(max(len(polls) * interval_seconds - elapsed, 0))
    await asyncio.wait_for(asyncio.gather(*polls), RESPONSE_TIMEOUT_SECONDS)
    return tally


async def _request_health(port: int, tally: ResponseTally) -> None:
    start = time.perf_counter()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(HEALTH_REQUEST)
    response = await reader.read()
    tally.add(time.perf_counter() - start, HEALTH_REQUEST, response, (b"HTTP/1.1 200 ", b"ok"))
    writer.close()
    await writer.wait_closed()
