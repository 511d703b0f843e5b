"""foyer handoffs catch-up: hands off registrations from before the product had a handoff_url."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from uuid import UUID

import pytest
from flask import Flask

from app import create_app
from tests.support import factories
from tests.support.aws_events import LICENSE_DEPROVISIONED, LICENSE_UPDATED, minutes_after_noon
from tests.support.factories import OTHER_PRODUCT_CODE, PRODUCT_CODE
from tests.support.outbox_messages import (
    claim_next,
    handoff_messages,
    mail_messages,
    receive_license_event,
    register_customer,
)

CATCH_UP = ("handoffs", "catch-up")
Restart = Callable[[], Flask]


@pytest.fixture
def environment(environment: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A seller with mail set up, and no handoff_url yet."""
    environment.setenv("MAIL_FROM", "start@acme.example")
    environment.setenv("SITE_URL", "https://start.acme.example")
    return environment


@pytest.fixture
def app_with_handoffs(app: Flask, environment: pytest.MonkeyPatch) -> Iterator[Restart]:
    """Restarts Foyer on the same database with a product that takes hand-offs."""
    with ExitStack() as stack:

        def restart() -> Flask:
            factories.enable_handoffs(environment)
            return stack.enter_context(factories.open_app(create_app()))

        yield restart


def printed(app: Flask, *options: str) -> str:
    result = app.test_cli_runner().invoke(args=[*CATCH_UP, *options])
    assert result.exit_code == 0, result.output
    return result.stdout


def customer(number: int) -> dict[str, str]:
    return {
        "license_arn": f"arn:aws:license-manager::294406891311:license:l-{number}",
        "agreement_id": f"agmt-{number}",
    }


def test_catch_up_hands_off_each_registration_once_without_mail(app: Flask, app_with_handoffs: Restart) -> None:
    earlier_ids = [register_customer(app, customer(number)) for number in (1, 2)]
    restarted = app_with_handoffs()
    handed_off_id = register_customer(restarted, customer(3))
    mail_count = len(mail_messages(restarted))

    first, second = printed(restarted), printed(restarted)

    assert first.startswith("Registrations handed off: 2. A worker has to be running: ")
    assert second.startswith("Registrations handed off: 0. ")
    assert [(message.subscription_id, message.type) for message in handoff_messages(restarted)] == [
        (subscription_id, "registration.completed") for subscription_id in (handed_off_id, *earlier_ids)
    ]
    assert handoff_messages(restarted)[1].payload["data"]["registration"]["full_name"] == "Ada Lovelace"
    assert len(mail_messages(restarted)) == mail_count


def test_caught_up_handoff_is_due_at_once(app: Flask, app_with_handoffs: Restart) -> None:
    register_customer(app)
    restarted = app_with_handoffs()

    printed(restarted, "--product", PRODUCT_CODE)

    assert claim_next(restarted) is not None


def test_ended_purchase_is_left_out(app: Flask, app_with_handoffs: Restart) -> None:
    register_customer(app)
    receive_license_event(app, LICENSE_UPDATED, minutes_after_noon(1))
    receive_license_event(app, LICENSE_DEPROVISIONED, minutes_after_noon(2))

    assert printed(app_with_handoffs()).startswith("Registrations handed off: 0. ")


def test_dry_run_lists_subscriptions_and_hands_nothing_off(app: Flask, app_with_handoffs: Restart) -> None:
    subscription_id: UUID = register_customer(app)
    restarted = app_with_handoffs()

    assert printed(restarted, "--dry-run") == f"{subscription_id}\nRegistrations that would be handed off: 1\n"
    assert handoff_messages(restarted) == []


def test_product_without_endpoint_is_refused_with_advice(app: Flask, app_with_handoffs: Restart) -> None:
    result = app_with_handoffs().test_cli_runner().invoke(args=[*CATCH_UP, "--product", OTHER_PRODUCT_CODE])

    assert result.exit_code == 1
    assert f"{OTHER_PRODUCT_CODE} takes no hand-offs. Products that do: " in result.stderr
