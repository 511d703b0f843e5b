"""Prometheus's own tool reads the metrics of a running application, and the alarms of deploy/alarms.md."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from sandbox.server import Sandbox
from tests.real import programs
from tests.support import app_processes, factories
from tests.support.factories import TOKEN_FIELD

ALARMS = (Path(__file__).parents[2] / "deploy" / "alarms.md").read_text(encoding="utf-8")
# By the number in the heading.
EXPRESSIONS = dict(re.findall(r"^## (\d+)\. .*?^```promql\n(.*?)^```$", ALARMS, re.MULTILINE | re.DOTALL))
RISE, STAY = "0x9 1x9", "3x19"
UNTRUSTED = 'foyer_landings_total{outcome="UntrustedHost"}'
REFUSED, RESOLVED = (f'foyer_landings_total{{outcome="{name}"}}' for name in ("CredentialsRefused", "resolved"))
NOT_STORED, SIGN_UPS_REFUSED = (
    'foyer_landings_total{outcome="owed"}',
    'foyer_signups_total{outcome="DatabaseUnavailable"}',
)
WORKER, QUEUE = "foyer_worker_heartbeat_age_seconds", "foyer_events_heartbeat_age_seconds"
UNSENT, HELD = "foyer_usage_oldest_unsent_seconds", "foyer_usage_held_items"
# Per alarm, its number, series with a sample a minute, and whether it rings after ten minutes.
CASES = [
    ("1", {REFUSED: RISE}, True),
    ("1", {REFUSED: STAY, RESOLVED: RISE, UNTRUSTED: RISE}, False),
    ("2", {'foyer_parked_tokens_oldest_seconds{instance="a"}': "0+240x9"}, True),
    ("2", {'foyer_parked_tokens_oldest_seconds{instance="a"}': "1700x19"}, False),
    ("3", {'foyer_database_up{instance="a"}': "1x19", 'foyer_database_up{instance="b"}': "1x9 0x9"}, True),
    ("3", {}, True),
    ("3", {"foyer_database_up": "1x19", NOT_STORED: RISE}, True),
    ("3", {"foyer_database_up": "1x19", SIGN_UPS_REFUSED: RISE}, True),
    ("3", {"foyer_database_up": "1x19", NOT_STORED: STAY, SIGN_UPS_REFUSED: STAY}, False),
    ("4", {WORKER: "60+60x19"}, True),
    ("4", {WORKER: " ".join(["Inf"] * 12)}, True),
    ("4", {WORKER: "10x19", QUEUE: "130x19"}, True),
    ("4", {WORKER: "10x19"}, False),
    ("5", {"foyer_handoffs_oldest_seconds": "0+120x19", "foyer_handoffs_failed": "0x19"}, True),
    ("5", {"foyer_handoffs_oldest_seconds": "0x19", "foyer_handoffs_failed": "1x19"}, True),
    ("5", {"foyer_handoffs_oldest_seconds": "800x19", "foyer_handoffs_failed": "0x19"}, False),
    ("6", {UNTRUSTED: RISE}, True),
    ("6", {UNTRUSTED: STAY, REFUSED: RISE}, False),
    ("7", {UNSENT: "21000+120x19"}, True),
    ("7", {UNSENT: "7200+60x19"}, False),
    ("8", {'foyer_usage_records{state="refused"}': "0x5 1x9", HELD: "0x19"}, True),
    ("8", {'foyer_usage_records{state="open"}': "9x19", HELD: "0x5 1x9"}, True),
    ("8", {'foyer_usage_records{state="open"}': "9x19", HELD: "0x19"}, False),
]


def run_promtool(*arguments: str, text: str = "") -> "subprocess.CompletedProcess[str]":
    command = [programs.path_of("promtool"), *arguments]
    return subprocess.run(command, input=text, capture_output=True, text=True, check=False, timeout=60)


@pytest.fixture
def metrics(sandbox: Sandbox, sqlite_template: Path, tmp_path: Path) -> Iterator[str]:
    """The metrics of an application with every feature on, after a landing and a refused one."""
    database = tmp_path / "foyer.db"
    database.write_bytes(sqlite_template.read_bytes())
    environment = {
        **factories.environment(f"sqlite:///{database}", sandbox.aws_url),
        **factories.handoff_environment(factories.UNREACHABLE_URL),
        "MAIL_FROM": "start@acme.example",
        "EVENTS_QUEUE_URL": sandbox.queue_url,
    }
    with app_processes.run_gunicorn(environment) as url:
        requests.post(url, data={TOKEN_FIELD: factories.token(sandbox)}, timeout=10)
        requests.post(url, data={TOKEN_FIELD: "no such token"}, timeout=10)
        yield requests.get(f"{url}metrics", timeout=10).text


def test_promtool_finds_nothing_to_criticise_in_the_metrics(metrics: str) -> None:
    checked = run_promtool("check", "metrics", text=metrics)

    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")
    assert 'foyer_landings_total{outcome="resolved"} 1.0' in metrics


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    """A file of Prometheus's rules: one for each alarm of the page. JSON is YAML, too."""
    path = tmp_path / "rules.yml"
    alarms = [{"alert": f"Alarm{number}", "expr": expression} for number, expression in EXPRESSIONS.items()]
    path.write_text(json.dumps({"groups": [{"name": "foyer", "rules": alarms}]}))
    return path


def test_promtool_accepts_the_alarms_of_the_page(rules: Path) -> None:
    checked = run_promtool("check", "rules", str(rules))

    assert checked.returncode == 0, checked.stderr
    assert f"{len(EXPRESSIONS)} rules found" in checked.stdout
    assert set(EXPRESSIONS) == {number for number, _, _ in CASES}


def test_alarms_ring_when_the_page_says_so(rules: Path) -> None:
    tests = [rule_test(number, series, rings=rings) for number, series, rings in CASES]
    unit_tests = rules.with_name("tests.yml")
    unit_tests.write_text(json.dumps({"rule_files": [str(rules)], "evaluation_interval": "1m", "tests": tests}))

    checked = run_promtool("test", "rules", str(unit_tests))

    assert checked.returncode == 0, checked.stdout + checked.stderr


def rule_test(number: str, series: dict[str, str], *, rings: bool) -> dict[str, Any]:
    """Return promtool's test that the alarm rings, or does not, ten minutes after the first sample."""
    alarm = {"eval_time": "10m", "alertname": f"Alarm{number}", "exp_alerts": [{}] if rings else []}
    return {
        "name": f"{number} {series}",
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "alert_rule_test": [alarm],
    }
