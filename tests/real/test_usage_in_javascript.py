"""The JavaScript example of docs/usage.md in Node.js: it sends every item, and returns what was not taken."""

import json
import re
import subprocess
from datetime import UTC, datetime
from pathlib import Path

from flask import Flask

from app.services.api import tokens
from app.services.purchases import subscriptions
from tests.real import programs
from tests.support import factories
from tests.support.local_server import serve_app
from tests.support.ports import free_port

GUIDE = (Path(__file__).parents[2] / "docs" / "usage.md").read_text(encoding="utf-8")
[JAVASCRIPT] = re.findall(r"```javascript\n(.*?)```", GUIDE, re.DOTALL)
SCRIPT = Path(__file__).parent / "node" / "usage.mjs"


def test_javascript_example_sends_every_item(app: Flask, tmp_path: Path) -> None:
    guide = tmp_path / "guide.mjs"
    guide.write_text(JAVASCRIPT, encoding="utf-8")
    with app.app_context():
        subscription_id = subscriptions.upsert_from_landing(factories.landing())
        _, token = tokens.create("metering", None, "operator:alice", (tokens.WRITE_USAGE,))
    common = {"subscription": str(subscription_id), "dimension": "gb_processed", "quantity": "0.1"}
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    items = [{"id": f"job-{number}", **common, "at": now} for number in range(1001)]

    def send(url: str) -> tuple[object, str]:
        command = [programs.path_of("node"), str(SCRIPT), str(guide), url.rstrip("/"), token]
        done = subprocess.run(command, input=json.dumps(items), capture_output=True, text=True, timeout=60, check=True)
        return json.loads(done.stdout), done.stderr

    unreachable = send(f"http://127.0.0.1:{free_port()}")
    with serve_app(app) as url:
        sent, again = send(url), send(url)

    assert (unreachable, sent, again) == ((items, ""), ([], ""), ([], ""))
