"""Redis itself, with the settings that a test needs, and a slow network before it."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from subprocess import Popen

from tests.real import programs
from tests.support.ports import free_port


@contextmanager
def run_redis(folder: Path, *options: str) -> Iterator[tuple[int, "Popen[bytes]"]]:
    """Run Redis with these options, and yield its port and its process. It keeps nothing on the disk.

    `{port}` in an option stands for the port.
    """
    port = free_port()
    options = tuple(option.format(port=port) for option in options)
    command = [programs.path_of("redis-server"), "--port", str(port), "--bind", "127.0.0.1"]
    with programs.run([*command, "--save", "", "--dir", str(folder), *options], port, folder / "redis.log") as process:
        yield port, process


class SlowNetwork:
    """Forwards each connection to Redis, and each answer `delay_seconds` late. `answers` counts them."""

    def __init__(self, redis_port: int, delay_seconds: float) -> None:
        self.answers = 0
        self._redis_port = redis_port
        self._delay_seconds = delay_seconds
        self._closed = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept_connections, daemon=True).start()

    def close(self) -> None:
        """Accept no more connections, and end the delays."""
        self._closed.set()
        self._listener.close()

    def _accept_connections(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                redis = socket.create_connection(("127.0.0.1", self._redis_port))
                threading.Thread(target=self._forward, args=(client, redis, 0), daemon=True).start()
                threading.Thread(target=self._forward, args=(redis, client, self._delay_seconds), daemon=True).start()

    def _forward(self, source: socket.socket, target: socket.socket, delay_seconds: float) -> None:
        with suppress(OSError), source, target:
            while chunk := source.recv(65536):
                if delay_seconds:
                    self.answers += 1
                    self._closed.wait(delay_seconds)
                target.sendall(chunk)
