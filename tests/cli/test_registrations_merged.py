"""foyer registrations show and erase, by the id of a registration that was merged into another."""

import json
from uuid import UUID

import pytest
from flask import Flask
from flask.testing import FlaskCliRunner

from app.models import Registration
from app.services.events import merge
from tests.support.outbox_messages import register_customer, registration_id_of
from tests.support.personal_data import run_transaction
from tests.support.stored_rows import all_rows

ARN = "arn:aws:license-manager::294406891311:license:l-"


@pytest.fixture
def merged_registrations(app: Flask) -> tuple[UUID, UUID]:
    """The ids of the registration that remains, and of the one that was merged into it."""
    kept, gone = (
        register_customer(app, {"license_arn": f"{ARN}kept"}),
        register_customer(app, {"license_arn": f"{ARN}gone"}),
    )
    ids = registration_id_of(app, kept), registration_id_of(app, gone)
    run_transaction(app, lambda connection: merge.merge(connection, kept, gone))
    return ids


def test_merged_registration_shows_the_one_it_was_merged_into(
    runner: FlaskCliRunner, merged_registrations: tuple[UUID, UUID]
) -> None:
    kept, gone = map(str, merged_registrations)

    result = runner.invoke(args=["registrations", "show", gone, "--json"])

    assert result.exit_code == 0
    assert json.loads(result.stdout)["id"] == kept
    assert f"{gone} was merged into {kept}" in result.stderr


def test_erasing_a_merged_registration_erases_the_remaining_one(
    app: Flask, runner: FlaskCliRunner, merged_registrations: tuple[UUID, UUID]
) -> None:
    kept, gone = map(str, merged_registrations)

    result = runner.invoke(args=["registrations", "erase", gone, "--yes"])

    assert result.exit_code == 0
    assert f"Registration {kept} was erased" in result.stdout
    assert all_rows(app, Registration) == []


def test_erased_registration_does_not_lead_to_the_next_one(app: Flask, runner: FlaskCliRunner) -> None:
    subscription_id = register_customer(app)
    erased = str(registration_id_of(app, subscription_id))
    runner.invoke(args=["registrations", "erase", erased, "--yes"])
    register_customer(app, company="Next")

    result = runner.invoke(args=["registrations", "show", erased])

    assert (result.exit_code, result.stdout) == (1, "")
    assert f"{erased} was erased" in result.stderr
