"""The documents cite only tests, files, metrics and outcomes that exist."""

import re
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from app import create_app
from app.observability import metrics
from app.security.headers import UntrustedHost
from app.views.errors import ERROR_PAGES, UNEXPECTED_OUTCOME
from tests.support import factories

ROOT = Path(__file__).parent.parent
SECURITY = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
ALARMS = (ROOT / "deploy" / "alarms.md").read_text(encoding="utf-8")

LINK = re.compile(r"\[`[\w/]+`\]\(\.\./(?P<file>[\w/.]+)\)(?P<names>(?: `\w+…?`,?)*)")
CITED = [
    (match["file"], name.rstrip("…"))
    for match in LINK.finditer(SECURITY)
    for name in re.findall(r"`(\w+…?)`", match["names"])
]


@pytest.mark.parametrize(("file", "name"), CITED)
def test_every_test_cited_in_the_threat_table_exists(file: str, name: str) -> None:
    assert f"def test_{name}" in (ROOT / file).read_text(encoding="utf-8")


def test_every_file_cited_in_the_threat_table_exists() -> None:
    files = {match["file"] for match in LINK.finditer(SECURITY)}

    assert len(files) > 10
    assert [file for file in files if not (ROOT / file).exists()] == []


def test_every_metric_in_the_alarms_is_exported(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("EVENTS_QUEUE_URL", "https://sqs.us-east-1.amazonaws.com/123456789012/foyer-events")
    with factories.open_app(create_app()) as app:
        exported = app.test_client().get("/metrics").text

    names = set(re.findall(r"foyer_\w+", ALARMS))
    assert {"foyer_landings_total", *metrics.GAUGE_DESCRIPTIONS} <= names
    assert [name for name in names if f"# TYPE {name} " not in exported] == []


def test_every_outcome_in_the_alarms_exists_and_is_counted_from_zero(client: FlaskClient) -> None:
    alternatives = re.findall(r'outcome=~?"([^"]+)"', ALARMS)
    exported = client.get("/metrics").text

    outcomes = {outcome for names in alternatives for outcome in names.split("|")}
    assert UntrustedHost.__name__ in outcomes
    assert outcomes <= {*(kind.__name__ for kind in (*ERROR_PAGES, UntrustedHost)), UNEXPECTED_OUTCOME, "owed"}
    counter = 'foyer_landings_total{{outcome="{}"}}'
    assert [outcome for outcome in outcomes if counter.format(outcome) not in exported] == []
    assert 'foyer_signups_total{outcome="DatabaseUnavailable"}' in exported
