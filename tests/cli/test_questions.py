"""The table of questions in docs/operating.md: each command is run."""

import re
import shlex
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from flask import Flask
from flask.testing import FlaskCliRunner
from sqlalchemy import select, update

from app.database import transactions
from app.models import Subscription
from app.services.operations import heartbeats
from tests.cli.command_output import apply_events
from tests.support import factories
from tests.support.aws_events import LICENSE_UPDATED, eventbridge_event, minutes_after_noon
from tests.support.databases import on_sqlite
from tests.support.outbox_messages import register_customer
from tests.support.usage_clock import send_usage

OPERATING = (Path(__file__).parents[2] / "docs" / "operating.md").read_text(encoding="utf-8")
TABLE = OPERATING[OPERATING.index("## Questions and commands") :].partition("\n\n`foyer customer WHO`")[0]
COMMANDS = re.findall(r"^\| [^|]+ \| `foyer ([^`]+)` \|$", TABLE, re.MULTILINE)


@pytest.fixture
def environment(environment: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    return factories.enable_handoffs_and_mail(environment)


@pytest.fixture
def answered(app: Flask) -> UUID:
    """A customer as in the questions, who used something, and one who pays and never signed up; the first one's id."""
    register_customer(app, {"customer_aws_account_id": "123456789012"}, email="ada@example.com")
    with app.app_context():
        heartbeats.record("worker")
        soon = update(Subscription).values(ends_at=datetime.now(UTC) + timedelta(days=20))
        transactions.write(lambda connection: connection.execute(soon))
        with transactions.current_database().read_engine.begin() as connection:
            subscription_id: UUID = connection.execute(select(Subscription.id)).scalar_one()
    send_usage(app, subscription_id, datetime.now(UTC).isoformat())
    apply_events(app, eventbridge_event(LICENSE_UPDATED, minutes_after_noon(1), license="l-9", agreement="agmt-9"))
    return subscription_id


def test_every_question_has_its_command() -> None:
    assert len(COMMANDS) == len(TABLE.splitlines()) - 4
    assert {command.split()[0] for command in COMMANDS} == {
        *("customer", "subscriptions", "mails", "registrations", "status", "doctor", "usage"),
    }


@on_sqlite
@pytest.mark.parametrize("command", [command for command in COMMANDS if command != "doctor"])
def test_command_answers_its_question(runner: FlaskCliRunner, answered: UUID, command: str) -> None:
    words = shlex.split(re.sub("--subscription .*", f"--subscription {answered}", command))

    result = runner.invoke(args=words)

    assert result.exit_code == 0, result.stderr
    # Of the moment that the reference in the table names, nothing is stored.
    assert result.stdout or "Reference of a page" in result.stderr
