"""Clients that others' programs make from the running application's OpenAPI document."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask

from app.services.api import tokens
from tests.real import packages, programs
from tests.support.databases import on_sqlite
from tests.support.local_server import serve_app
from tests.support.outbox_messages import register_customer

pytestmark = on_sqlite

# What a seller writes with the Python client: all registrations, page by page.
READ_REGISTRATIONS = """
import json, sys
from foyer_client import AuthenticatedClient
from foyer_client.api.default import get_registrations, get_subscriptions_id

url, token = sys.argv[1:]
client = AuthenticatedClient(base_url=url, token=token, raise_on_unexpected_status=True)
items, cursor, more = [], "", True
while more:
    page = get_registrations.sync(client=client, limit=1, **({"cursor": cursor} if cursor else {}))
    items, cursor, more = items + page.items, page.cursor, page.more
again = [get_subscriptions_id.sync(item.subscription.id, client=client) for item in items]
assert [item.to_dict() for item in again] == [item.to_dict() for item in items]
print(json.dumps([[item.registration.company, item.subscription.status, item.account.wish] for item in items]))
"""
# What a seller writes with the types; the compiler checks it.
USE_TYPES = """
import type { components, paths } from "./foyer";

type Page = paths["/registrations"]["get"]["responses"][200]["content"]["application/json"];
const companies = (page: Page): (string | undefined)[] => page.items.map((item) => item.registration?.company);
const statuses = (page: Page): components["schemas"]["Subscription"]["status"][] =>
  page.items.map((item) => item.subscription.status);
export { companies, statuses };
"""


@pytest.fixture
def api_url(app: Flask) -> Iterator[str]:
    """The URL of a running application's API, with two registrations."""
    register_customer(
        app, {"license_arn": "arn:aws:license-manager::294406891311:license:l-1"}, company="Juniper & Lark"
    )
    register_customer(app, {"license_arn": "arn:aws:license-manager::294406891311:license:l-2"}, company="墨水")
    with serve_app(app) as url:
        yield f"{url}/api/v1"


@pytest.fixture
def token(app: Flask) -> str:
    with app.app_context():
        return tokens.create("crm", None, "operator:alice")[1]


def run(*command: str, folder: Path, path: str = "") -> str:
    """Run the command in the folder; return what it printed."""
    environment = {"PATH": f"{path}:/usr/local/bin:/usr/bin:/bin", "HOME": str(folder), "NO_COLOR": "1"}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "warning" not in (done.stdout + done.stderr).lower()
    return done.stdout


def test_generated_python_client_reads_the_registrations(api_url: str, token: str, tmp_path: Path) -> None:
    programs_folder = programs.folder_of(packages.OPENAPI_PYTHON_CLIENT) / "bin"
    generate = ["generate", "--url", f"{api_url}/openapi.json", "--output-path", "foyer_client", "--meta", "none"]

    run(
        str(programs_folder / "openapi-python-client"),
        *generate,
        "--fail-on-warning",
        folder=tmp_path,
        path=str(programs_folder),
    )
    read = run(str(programs_folder / "python"), "-c", READ_REGISTRATIONS, api_url, token, folder=tmp_path)

    assert json.loads(read) == [["Juniper & Lark", "pending", "new"], ["墨水", "pending", "new"]]


def test_generated_typescript_types_compile(api_url: str, tmp_path: Path) -> None:
    node, tools = programs.path_of("node"), programs.folder_of(packages.OPENAPI_TYPESCRIPT) / "node_modules"
    (tmp_path / "use.ts").write_text(USE_TYPES)

    run(
        node,
        str(tools / "openapi-typescript" / "bin" / "cli.js"),
        f"{api_url}/openapi.json",
        "--output",
        "foyer.d.ts",
        folder=tmp_path,
    )
    run(
        node, str(tools / "typescript" / "bin" / "tsc"), "--noEmit", "--strict", "use.ts", "foyer.d.ts", folder=tmp_path
    )
