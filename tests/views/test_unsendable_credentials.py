"""AWS credentials that cannot be sent: page, log, metric and doctor name them, and no token is stored as pending."""

import pytest
from flask.testing import FlaskClient

from app.database import transactions
from app.models import PendingToken
from sandbox.server import Sandbox
from tests.cli.doctor.doctor_output import failed_checks, run_doctor
from tests.support import factories
from tests.support.databases import on_sqlite
from tests.support.factories import TOKEN_FIELD

pytestmark = on_sqlite
COUNTER = 'foyer_landings_total{{outcome="{}"}}'
UNSENDABLE = [
    ("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE\n"),
    ("AWS_ACCESS_KEY_ID", "AKIA\rEXAMPLE"),
    ("AWS_SESSION_TOKEN", "abc\r"),
    ("AWS_SESSION_TOKEN", "\nabc\r\n"),
]
STRAY = [
    *UNSENDABLE,
    ("AWS_ACCESS_KEY_ID", "AKIA\u20acEXAMPLE"),
    ("AWS_SECRET_ACCESS_KEY", "testing\n"),
    ("AWS_SECRET_ACCESS_KEY", '"testing"'),
    ("AWS_ACCESS_KEY_ID", "'testing'"),
    ("AWS_SESSION_TOKEN", "abc "),
    ("AWS_PROFILE", "seller\r"),
]


def landings(client: FlaskClient, outcome: str) -> float:
    lines = client.get("/metrics").text.splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith(COUNTER.format(outcome)))


@pytest.mark.parametrize(("name", "value"), UNSENDABLE)
def test_credentials_that_cannot_be_sent_are_no_outage(
    environment: pytest.MonkeyPatch,
    sandbox: Sandbox,
    request: pytest.FixtureRequest,
    capsys: pytest.CaptureFixture[str],
    name: str,
    value: str,
) -> None:
    environment.setenv(name, value)
    client: FlaskClient = request.getfixturevalue("client")
    before = landings(client, "CredentialsRefused")

    response = client.post("/", data={TOKEN_FIELD: factories.token(sandbox)})

    assert response.status_code == 500
    assert "the credentials that we use" in response.text
    assert landings(client, "CredentialsRefused") == before + 1
    log = capsys.readouterr().err
    assert f'"fault": "CredentialsRefused", "code": "HTTPClientError {name}"' in log
    assert "MarketplaceUnavailable" not in log
    assert value.strip() not in log
    with client.application.app_context(), transactions.current_database().read_engine.connect() as connection:
        assert connection.execute(PendingToken.__table__.select()).all() == []


@pytest.mark.parametrize(("name", "value"), STRAY)
@pytest.mark.usefixtures("app")
def test_doctor_names_the_variable_and_the_character(environment: pytest.MonkeyPatch, name: str, value: str) -> None:
    environment.setenv(name, value)

    result = run_doctor()

    advice = failed_checks(result)["credentials"]
    assert advice.startswith(f"{name} has ")
    assert value.strip("\r\n \"'") not in result.stdout


@pytest.mark.parametrize(("name", "value"), UNSENDABLE)
@pytest.mark.usefixtures("app")
def test_doctor_says_credentials_wherever_they_are_needed(
    environment: pytest.MonkeyPatch, name: str, value: str
) -> None:
    environment.setenv(name, value)

    failures = failed_checks(run_doctor())

    assert failures.keys() == {"credentials", "ResolveCustomer"}
    assert failures["ResolveCustomer"].startswith(f"{name} has ")
    assert "The AWS credentials are missing, wrong or expired." in failures["ResolveCustomer"]
