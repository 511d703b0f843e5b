"""What a web process imports: nothing of the other programs, and no library before a page needs it."""

import subprocess
import sys

import pytest

from sandbox.server import Sandbox
from tests.support import app_processes, factories
from tests.support.databases import on_sqlite

OTHER_PROGRAMS = {
    *("alembic", "app.cli.program", "app.migrations", "app.services.delivery", "app.services.events.apply"),
    *("app.services.reports", "app.worker", "moto", "pytest", "sandbox"),
}
HEAVY_LIBRARIES = {
    *("apispec", "boto3", "coloraide", "cryptography", "dns", "dotenv", "email_validator", "httpcore2", "jwt"),
    *("langcodes", "psycopg", "pydantic", "redis", "requests", "s3transfer", "smtplib", "standardwebhooks", "tomllib"),
    # The database is SQLite's, and rows are no objects of classes.
    *("sqlalchemy.dialects.postgresql", "sqlalchemy.orm"),
}
LOADED_ON_USE = {"app.services.metering.accept", "app.views.api.openapi", "app.views.api.usage"}
# Prints the modules after the start, and after a buyer's whole way, whose token is the argument.
REGISTRATION = """
import re, sys
import wsgi
print(*sys.modules)
buyer = wsgi.app.test_client()
buyer.post("/", data={"x-amzn-marketplace-token": sys.argv[1]})
[csrf_token] = re.findall('name="csrf_token"[^>]* value="([^"]+)"', buyer.get("/signup").text)
answers = {"company": "Juniper", "full_name": "Ada Lovelace", "email": "ada@gmail.com", "csrf_token": csrf_token}
assert buyer.post("/signup", data=answers).location == "/welcome"
assert "/progress/" in buyer.get("/welcome").text
print(*sys.modules)
"""

pytestmark = on_sqlite


@pytest.fixture
def imported(database_url: str, sandbox: Sandbox) -> list[set[str]]:
    """The modules of a web process after its start, and after a buyer's whole registration with hand-off and mail."""
    environment = factories.environment(database_url, sandbox.aws_url)
    sending = factories.handoff_environment(factories.UNREACHABLE_URL) | {"MAIL_FROM": "start@acme.example"}
    output = subprocess.run(
        [sys.executable, "-c", REGISTRATION, factories.token(sandbox)],
        cwd=app_processes.ROOT,
        env={**environment, **sending},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return [set(line.split()) for line in output.splitlines()]


def test_web_process_starts_without_other_programs_and_heavy_libraries(imported: list[set[str]]) -> None:
    started, _ = imported

    assert "botocore" in started
    assert not (OTHER_PROGRAMS | HEAVY_LIBRARIES | LOADED_ON_USE) & started


def test_registration_imports_no_heavy_library(imported: list[set[str]]) -> None:
    _, registered = imported

    assert registered & HEAVY_LIBRARIES == {"email_validator"}
    assert not OTHER_PROGRAMS & registered
