"""Logins to a PostgreSQL server with TLS that asks for passwords: any characters, a rotated file, and IAM's tokens."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import botocore.session
import pytest
import time_machine
from flask import Flask
from sqlalchemy import Connection, text

from app import create_app, deadline
from app.database import transactions
from app.database.transactions import query
from app.errors import DatabaseUnavailable
from tests.cli.doctor.doctor_output import findings
from tests.conftest import migrate
from tests.support import certificates, database_tls, factories
from tests.support.databases import on_sqlite
from tests.support.postgresql_server import PostgresqlServer

HOST, REGION, USER = "foyer.c0ffee123456.eu-central-1.rds.amazonaws.com", "eu-central-1", "foyer@acme"
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
PASSWORDS = ["p:a/s@s?w#o%72d&=+;", " a 'b' \"c\" \\ ", "пароль-密码", "x" * 900]
pytestmark = on_sqlite  # `environment` has it


@pytest.fixture(scope="module")
def own_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[PostgresqlServer, str]]:
    """A server with TLS, which asks for passwords, and the URL of a migrated database there, without a password."""
    context, certificate = certificates.self_signed(tmp_path_factory.mktemp("tls"), HOST)
    with TemporaryDirectory(prefix="pg") as folder, PostgresqlServer(Path(folder)) as server:
        migrate(server.create_database("foyer"))
        server.execute(f'CREATE ROLE "{USER}" LOGIN SUPERUSER')
        server.ask_for_passwords()
        with database_tls.serve(server.url, context) as port:
            # RDS's name leads to this machine; its certificate is checked all the same.
            query = f"hostaddr=127.0.0.1&sslmode=verify-full&sslrootcert={certificate}"
            yield server, f"postgresql://{USER.replace('@', '%40')}@{HOST}:{port}/foyer?{query}"


@pytest.fixture
def set_password(own_server: tuple[PostgresqlServer, str], environment: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Give the role a new password; the environment has the URL without it."""
    server, url = own_server
    environment.setenv("DATABASE_URL", url)

    def change(password: str) -> None:
        quoted = password.replace("'", "''")
        server.execute(f"ALTER ROLE \"{USER}\" PASSWORD '{quoted}'".replace(":", r"\:"))

    return change


@query
def who_is_logged_in(connection: Connection) -> str:
    return str(connection.scalar(text("SELECT current_user")))


@contextmanager
def running_app() -> Iterator[Flask]:
    with factories.open_app(create_app()) as app, app.app_context():
        yield app


def forget_connections() -> None:
    transactions.current_database().read_engine.dispose()


@pytest.mark.parametrize("password", PASSWORDS)
def test_password_with_any_characters_logs_in(
    environment: pytest.MonkeyPatch, set_password: Callable[[str], None], password: str
) -> None:
    set_password(password)
    environment.setenv("DATABASE_PASSWORD", password)

    with running_app():
        assert who_is_logged_in() == USER


def test_wrong_password_is_refused_and_nowhere_repeated(
    environment: pytest.MonkeyPatch, set_password: Callable[[str], None], capsys: pytest.CaptureFixture[str]
) -> None:
    set_password("right-password")
    environment.setenv("DATABASE_PASSWORD", "hunter2-password")

    with running_app() as app:
        ready = app.test_client().get("/readyz")
        doctor = app.test_cli_runner().invoke(args=["doctor"])
        with pytest.raises(DatabaseUnavailable) as raised:
            who_is_logged_in()

    written = capsys.readouterr()
    finding = findings(doctor)["database"]
    assert ready.status_code == 503
    assert finding[0] == "FAIL"
    assert f'password authentication failed for user "{USER}"' in finding[1]
    assert "hunter2" not in f"{raised.value!r} {ready.text} {doctor.output} {written.err} {written.out}"


def test_rotated_password_file_is_read_without_a_restart(
    environment: pytest.MonkeyPatch, set_password: Callable[[str], None], tmp_path: Path
) -> None:
    file = tmp_path / "password"
    file.write_text("first-password\n")
    set_password("first-password")
    environment.setenv("DATABASE_PASSWORD_FILE", str(file))
    with running_app():
        users = [who_is_logged_in()]
        set_password("second-password")
        users.append(who_is_logged_in())  # on the connection that there is
        forget_connections()
        with pytest.raises(DatabaseUnavailable):
            who_is_logged_in()

        file.write_text("second-password\n")
        users.append(who_is_logged_in())

        for content in (None, ""):  # while it is written anew
            file.unlink() if content is None else file.write_text(content)
            forget_connections()
            users.append(who_is_logged_in())

    assert users == [USER] * 5


def botocores_token(url: str) -> str:
    port = int(url.partition(f"{HOST}:")[2].partition("/")[0])
    rds: Any = botocore.session.Session().create_client("rds", REGION)
    return str(rds.generate_db_auth_token(HOST, port, USER))


def test_each_connection_logs_in_with_a_new_token_of_iam(
    environment: pytest.MonkeyPatch, own_server: tuple[PostgresqlServer, str], set_password: Callable[[str], None]
) -> None:
    environment.setenv("AWS_SESSION_TOKEN", "a/long+session=token" * 40)
    environment.setenv("DATABASE_IAM_AUTH", "true")
    with running_app():
        # Later, the token before has expired, and the pool replaces the connection.
        for time_of_connection in (NOON, NOON + timedelta(minutes=16)):
            with time_machine.travel(time_of_connection, tick=False):
                set_password(botocores_token(own_server[1]))
                assert who_is_logged_in() == USER
        with time_machine.travel(NOON + timedelta(minutes=32), tick=False), pytest.raises(DatabaseUnavailable):
            who_is_logged_in()


def test_iam_login_without_credentials_is_explained(
    environment: pytest.MonkeyPatch, set_password: Callable[[str], None]
) -> None:
    environment.setenv("DATABASE_IAM_AUTH", "true")
    environment.delenv("AWS_ACCESS_KEY_ID")
    environment.setenv("AWS_SHARED_CREDENTIALS_FILE", "nowhere")

    with running_app() as app:
        ready, form = (app.test_client().get(path) for path in ("/readyz", "/signup"))
        doctor = app.test_cli_runner().invoke(args=["doctor"])

    assert ready.status_code == 503
    assert "no AWS credentials to log in to the database with, as DATABASE_IAM_AUTH asks (NoCredent" in ready.text
    assert findings(doctor)["database"] == ("FAIL", ready.text.rstrip())
    assert "Traceback" not in doctor.output + form.text


def test_slow_credentials_keep_no_page_waiting(
    environment: pytest.MonkeyPatch, set_password: Callable[[str], None]
) -> None:
    """The endpoint of the container's credentials takes every connection, and answers none."""
    environment.setenv("DATABASE_IAM_AUTH", "true")
    environment.delenv("AWS_ACCESS_KEY_ID")
    environment.setenv("AWS_SHARED_CREDENTIALS_FILE", "nowhere")
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:
        environment.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"http://127.0.0.1:{server.getsockname()[1]}/")
        with running_app() as app:
            started, pages = time.monotonic(), []
            threads = [
                threading.Thread(target=lambda: pages.append(app.test_client().get("/readyz"))) for _ in range(8)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            seconds = time.monotonic() - started

    assert [page.status_code for page in pages] == [503] * 8
    assert {page.text.partition(" asks ")[2].partition(".")[0] for page in pages} == {"(TimeoutError)"}
    assert seconds < deadline.REQUEST_SECONDS + 1
