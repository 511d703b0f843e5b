"""An AWS endpoint that costs next to nothing: it answers ResolveCustomer after the wait that the token asks for.

`python -m tests.bench.fake_aws` prints its port and serves until it is ended. A token begins with its wait in
milliseconds, as four digits. The same token always has the same license; a new token has a new one.
"""

import asyncio
import re
from hashlib import md5

PRODUCT_CODE = "benchcode1234567890"
LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
WAIT = re.compile(rb'"RegistrationToken": *"(\d{4})')
BODY = (
    b'{"CustomerIdentifier":"","ProductCode":"%b","CustomerAWSAccountId":"012345678901",'
    b'"LicenseArn":"arn:aws:license-manager::294406891311:license:l-%b",'
    b'"Metadata":{"AgreementId":"agmt-4mwg1nevbokzw95eca5797ixs"}}'
)
HEAD = (
    b"HTTP/1.1 200 OK\r\nx-amzn-RequestId: 00000000-0000-0000-0000-000000000000\r\n"
    b"Content-Type: application/x-amz-json-1.1\r\nContent-Length: %d\r\n\r\n"
)


class Endpoint(asyncio.Protocol):
    """One connection of the application's to AWS."""

    def __init__(self) -> None:
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the connection to answer on."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer once a request has come in whole."""
        self._received += data
        head, end, body = self._received.partition(b"\r\n\r\n")
        length = LENGTH.search(head)
        if not end or not length or len(body) < int(length[1]):
            return
        self._received = b""
        asyncio.get_running_loop().call_later(wait_seconds(body), self._transport.write, answer(body))


def wait_seconds(request: bytes) -> float:
    """Return how long the request's token asks to be kept waiting."""
    asked = WAIT.search(request)
    return int(asked[1]) / 1000 if asked else 0


def answer(request: bytes) -> bytes:
    """Return AWS's answer to one ResolveCustomer."""
    license_id = md5(request, usedforsecurity=False).hexdigest()
    body = BODY % (PRODUCT_CODE.encode(), license_id.encode())
    return HEAD % len(body) + body


async def serve() -> None:
    """Serve on a free port of this machine alone."""
    server = await asyncio.get_running_loop().create_server(Endpoint, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve())
