"""Progress links after two registrations were merged, as their purchases turned out to be one."""

from uuid import UUID

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.models import Registration
from app.services.events import merge
from app.services.signup import erasure, progress
from sandbox.server import Sandbox
from tests.support import factories
from tests.support.outbox_messages import register_customer, registration_id_of
from tests.support.pending_purchases import register_before_purchase, resolve_pending
from tests.support.personal_data import run_transaction
from tests.support.stored_rows import all_rows

ARN = "arn:aws:license-manager::294406891311:license:l-"
KEPT, GONE = {"license_arn": f"{ARN}kept"}, {"license_arn": f"{ARN}gone"}


@pytest.fixture
def merged_registrations(app: Flask) -> tuple[UUID, UUID]:
    """The ids of two people's registrations, after their purchases were merged."""
    kept, gone = register_customer(app, KEPT, company="Kept"), register_customer(app, GONE, company="Latest")
    ids = registration_id_of(app, kept), registration_id_of(app, gone)
    run_transaction(app, lambda connection: merge.merge(connection, kept, gone))
    return ids


def page(client: FlaskClient, registration_id: UUID) -> str | None:
    """Return the page of the registration's progress link; None for 404."""
    with client.application.app_context():
        link = progress.LINK.path_for(registration_id)
    response = client.get(link)
    assert response.status_code in {200, 404}
    return response.text if response.status_code == 200 else None


def test_links_of_both_registrations_show_the_merged_one(
    client: FlaskClient, merged_registrations: tuple[UUID, UUID]
) -> None:
    kept, gone = (page(client, registration_id) for registration_id in merged_registrations)

    assert [registration.id for registration in all_rows(client.application, Registration)] == [merged_registrations[0]]
    assert kept
    assert gone
    assert "Latest" in kept
    assert "Latest" in gone


def test_link_of_late_resolved_registration_shows_the_merged_one(client: FlaskClient, sandbox: Sandbox) -> None:
    app = client.application
    kept = register_customer(app, KEPT)
    late_id = register_before_purchase(app, factories.token(sandbox), company="Latest")[1].registration_id
    assert resolve_pending(app, minutes=1)
    [gone] = [row.subscription_id for row in all_rows(app, Registration) if row.id == late_id]
    assert gone
    run_transaction(app, lambda connection: merge.merge(connection, kept, gone))

    assert "Latest" in (page(client, late_id) or "")


def test_erased_link_does_not_show_later_registration(
    client: FlaskClient, merged_registrations: tuple[UUID, UUID]
) -> None:
    app = client.application
    with app.app_context():
        erasure.erase(merged_registrations[0], "operator:alice")
    register_customer(app, KEPT, company="Next")

    assert [page(client, registration_id) for registration_id in merged_registrations] == [None, None]


def test_link_erased_before_merge_is_not_found(client: FlaskClient) -> None:
    app = client.application
    kept, gone = register_customer(app, KEPT), register_customer(app, GONE)
    erased_id = registration_id_of(app, gone)
    with app.app_context():
        erasure.erase(erased_id, "operator:alice")
    run_transaction(app, lambda connection: merge.merge(connection, kept, gone))

    assert page(client, erased_id) is None
