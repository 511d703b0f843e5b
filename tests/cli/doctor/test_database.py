"""The doctor's check of the database: it quotes the server, and looks at the limits of the role."""

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.cli.doctor.doctor_output import failed_checks, findings, run_doctor
from tests.support.databases import on_postgresql, on_sqlite
from tests.support.postgresql_server import execute_statements

WORDS = "unsupported startup parameter: options"


@contextmanager
def refusing_server(words: str) -> Iterator[str]:
    """A server that refuses each connection as PostgreSQL and poolers do; yield its URL."""
    fields = b"".join(part.encode() + b"\0" for part in ("SFATAL", "C08P01", f"M{words}"))
    refusal = b"E" + struct.pack("!I", len(fields) + 5) + fields + b"\0"

    def refuse(server: socket.socket) -> None:
        while True:
            try:
                client, _ = server.accept()
            except OSError:
                return
            with client:
                client.recv(8)
                client.sendall(b"N")  # no TLS
                client.recv(4096)
                client.sendall(refusal)

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=refuse, args=[server])
        thread.start()
        yield f"postgresql://foyer:hidden@127.0.0.1:{server.getsockname()[1]}/foyer"
        server.shutdown(socket.SHUT_RDWR)
    thread.join(10)


@on_sqlite
def test_servers_own_words_are_quoted(environment: pytest.MonkeyPatch) -> None:
    with refusing_server(WORDS) as url:
        environment.setenv("DATABASE_URL", url)
        failures = failed_checks(run_doctor())

    assert failures["database"].startswith("The database cannot be reached. Check DATABASE_URL")
    assert f"FATAL: {WORDS}" in failures["database"]
    assert "hidden" not in failures["database"]


@on_sqlite
def test_unopenable_sqlite_file_is_explained_in_sqlites_words(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("DATABASE_URL", "sqlite:////proc")

    assert "unable to open database file" in failed_checks(run_doctor())["database"]


@on_postgresql
def test_role_without_limits_is_a_warning_with_the_statements(
    environment: pytest.MonkeyPatch, database_url: str
) -> None:
    name = database_url.rpartition("/")[2].partition("?")[0]
    beginning = f"ALTER ROLE postgres IN DATABASE {name} SET"
    limits = [
        "idle_in_transaction_session_timeout = '10s'",
        "lock_timeout = '3s'",
        "statement_timeout = '5s'",
        "transaction_timeout = '30s'",
    ]
    execute_statements(database_url, f"ALTER ROLE postgres IN DATABASE {name} RESET ALL")

    without = findings(run_doctor())["database"]
    execute_statements(database_url, *(f"{beginning} {limit}" for limit in limits))
    with_limits = findings(run_doctor())["database"]

    assert without[0] == "warn"
    assert "; ".join(f"{beginning} {limit}" for limit in limits) in without[1]
    assert with_limits[0] == "ok"
