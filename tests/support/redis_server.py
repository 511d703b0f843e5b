"""A Redis on this machine, for tests."""

import threading

from fakeredis import TcpFakeServer

# The quarter of a second that a buyer waits for Redis is soon over on a machine that does much else meanwhile; then
# counts are kept here, and the test is about something else.
TIMEOUT_QUERY = "?socket_timeout=10&socket_connect_timeout=10"


class RedisServer:  # reads as a verb
    """A fake Redis between `with` and its end."""

    def __init__(self, port: int = 0) -> None:
        self._server = TcpFakeServer(("127.0.0.1", port))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    def __enter__(self) -> str:
        self._thread.start()
        return f"redis://127.0.0.1:{self._server.server_address[1]}/0{TIMEOUT_QUERY}"

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
