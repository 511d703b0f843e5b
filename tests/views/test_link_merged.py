"""The link of a registration that has become part of another, since their purchases turned out to be one."""

from uuid import UUID

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.models import Registration
from app.services.events import merge
from app.services.purchases.purchase import Said
from app.services.signup import erasure, pending_tokens, progress, registrations, retry_pending
from sandbox.server import Sandbox
from tests import factories
from tests.promised import later, register, registration_of
from tests.services.people import write
from tests.stored import stored

ARN = "arn:aws:license-manager::294406891311:license:l-"
KEPT, GONE = {"license_arn": f"{ARN}kept"}, {"license_arn": f"{ARN}gone"}


@pytest.fixture
def merged(app: Flask) -> tuple[UUID, UUID]:
    """Two purchases, registered for by two people, that turned out to be one; their registrations' ids."""
    kept, gone = register(app, KEPT, company="Kept"), register(app, GONE, company="Latest")
    ids = registration_of(app, kept), registration_of(app, gone)
    write(app, lambda connection: merge.merge(connection, kept, gone))
    return ids


def page(client: FlaskClient, registration_id: UUID) -> str | None:
    """Return the page that the registration's link leads to; None where it leads to none."""
    with client.application.app_context():
        link = progress.link(registration_id)
    response = client.get(link)
    assert response.status_code in {200, 404}
    return response.text if response.status_code == 200 else None


def test_both_links_lead_to_the_one_registration(client: FlaskClient, merged: tuple[UUID, UUID]) -> None:
    kept, gone = (page(client, registration_id) for registration_id in merged)

    assert [registration.id for registration in stored(client.application, Registration)] == [merged[0]]
    assert kept
    assert gone
    assert "Latest" in kept
    assert "Latest" in gone


def test_the_link_of_one_whose_purchase_was_told_late_leads_there_as_well(
    client: FlaskClient, sandbox: Sandbox
) -> None:
    app = client.application
    kept = register(app, KEPT)
    with app.app_context():
        parked = pending_tokens.park(factories.token(sandbox), Said())
        parked_id = registrations.complete(parked, factories.answers(company="Latest")).registration_id
        with later(minutes=1):
            assert retry_pending.link_next()
    [gone] = [found.subscription_id for found in stored(app, Registration) if found.id == parked_id]
    assert gone
    write(app, lambda connection: merge.merge(connection, kept, gone))

    assert "Latest" in (page(client, parked_id) or "")


def test_what_was_erased_leads_to_nobody_who_registered_after_it(
    client: FlaskClient, merged: tuple[UUID, UUID]
) -> None:
    app = client.application
    with app.app_context():
        erasure.erase(merged[0], "operator:alice")
    register(app, KEPT, company="Next")

    assert [page(client, registration_id) for registration_id in merged] == [None, None]


def test_what_was_erased_before_leads_nowhere_either(client: FlaskClient) -> None:
    app = client.application
    kept, gone = register(app, KEPT), register(app, GONE)
    erased_id = registration_of(app, gone)
    with app.app_context():
        erasure.erase(erased_id, "operator:alice")
    write(app, lambda connection: merge.merge(connection, kept, gone))

    assert page(client, erased_id) is None
