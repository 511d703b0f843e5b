"""docs/usage.md: its Python example and its curl command send usage, and it names every setting."""

import re
import shlex
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from app.config.usage_rules import USAGE_FIELDS
from app.models.usage import USAGE_STATES
from app.services.metering.items import FIELDS
from tests.support.local_server import serve_app
from tests.support.ports import free_port
from tests.views.api.conftest import ApiClient, CreateSubscription

GUIDE = (Path(__file__).parents[3] / "docs" / "usage.md").read_text(encoding="utf-8")
[PYTHON] = re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL)
[CURL] = re.findall(r"```sh\n(curl.*?)```", GUIDE, re.DOTALL)
EXAMPLE_SUBSCRIPTION, EXAMPLE_TIME = "01a207c8-85e3-70e1-8187-c3ad0186f92b", "2026-11-28T14:05:00Z"


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def item(subscription: object, number: int) -> dict[str, Any]:
    names = {"id": f"job-{number}", "subscription": str(subscription), "dimension": "gb_processed"}
    return {**names, "quantity": "1.5", "at": now()}


def test_python_example_sends_every_item(
    app: Flask, sender: ApiClient, create_subscription: CreateSubscription, capsys: pytest.CaptureFixture[str]
) -> None:
    guide: dict[str, Any] = {}
    exec(PYTHON, guide)  # noqa: S102  # the guide's own code, unchanged
    items = [item(create_subscription(), number) for number in range(1001)]
    unknown = item("arn:aws:license-manager::294406891311:license:l-unknown", 4711)

    unreachable = guide["send"](f"http://127.0.0.1:{free_port()}", sender.token, items)
    with serve_app(app) as url:
        sent = guide["send"](url, sender.token, [*items, unknown])
        again = guide["send"](url, sender.token, items)

    assert (unreachable, sent, again) == (items, [], [])
    assert capsys.readouterr().out.startswith("job-4711 refused There is no such subscription")


def test_curl_command_gets_the_answer_that_the_guide_shows(
    app: Flask, sender: ApiClient, create_subscription: CreateSubscription
) -> None:
    with serve_app(app) as url:
        command = CURL.replace("https://start.acme.example", url.rstrip("/")).replace("$USAGE_TOKEN", sender.token)
        command = command.replace(EXAMPLE_SUBSCRIPTION, str(create_subscription())).replace(EXAMPLE_TIME, now())
        words = shlex.split(command.replace("\\\n", " "))
        answer = subprocess.run(words, capture_output=True, text=True, timeout=30, check=True)

    [shown] = re.findall(r"```json\n(.*?)```", GUIDE, re.DOTALL)
    assert answer.stdout.replace(" ", "").strip() == shown.replace(" ", "").strip()


def test_guide_names_every_field_setting_and_state() -> None:
    assert all(f"| `{name}` |" in GUIDE for name in (*FIELDS, *USAGE_FIELDS))
    assert all(f"`{state}`" in GUIDE for state in USAGE_STATES)
