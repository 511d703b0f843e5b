"""flask handoffs catch-up: who registered before the product took hand-offs is handed off once it does."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from uuid import UUID

import pytest
from flask import Flask

from app import create_app
from tests.support import factories
from tests.support.aws_events import minutes_after_noon
from tests.support.factories import OTHER_PRODUCT_CODE, PRODUCT_CODE
from tests.support.outbox_messages import (
    LICENSE_DEPROVISIONED,
    LICENSE_UPDATED,
    claim_next,
    handoff_messages,
    mail_messages,
    receive_license_event,
    register_customer,
)

CATCH_UP = ("handoffs", "catch-up")
Later = Callable[[], Flask]


@pytest.fixture
def environment(environment: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A seller who mails from the start on, and hands nothing off yet."""
    environment.setenv("MAIL_FROM", "start@acme.example")
    environment.setenv("SITE_URL", "https://start.acme.example")
    return environment


@pytest.fixture
def app_with_handoffs(app: Flask, environment: pytest.MonkeyPatch) -> Iterator[Later]:
    """Give what starts Foyer again on the same database, with a product that takes hand-offs."""
    with ExitStack() as running:

        def restarted() -> Flask:
            factories.enable_handoffs(environment)
            return running.enter_context(factories.open_app(create_app()))

        yield restarted


def printed(app: Flask, *options: str) -> str:
    result = app.test_cli_runner().invoke(args=[*CATCH_UP, *options])
    assert result.exit_code == 0, result.output
    return result.stdout


def customer(number: int) -> dict[str, str]:
    return {
        "license_arn": f"arn:aws:license-manager::294406891311:license:l-{number}",
        "agreement_id": f"agmt-{number}",
    }


def test_who_was_never_told_of_is_handed_off_once_and_nobody_is_mailed(app: Flask, app_with_handoffs: Later) -> None:
    earlier = [register_customer(app, customer(number)) for number in (1, 2)]
    again = app_with_handoffs()
    told = register_customer(again, customer(3))
    mailed = len(mail_messages(again))

    first, second = printed(again), printed(again)

    assert first.startswith("Registrations handed off: 2. A worker has to run: ")
    assert second.startswith("Registrations handed off: 0. ")
    assert [(each.subscription_id, each.type) for each in handoff_messages(again)] == [
        (one, "registration.completed") for one in (told, *earlier)
    ]
    assert handoff_messages(again)[1].payload["data"]["registration"]["full_name"] == "Ada Lovelace"
    assert len(mail_messages(again)) == mailed


def test_what_was_handed_off_goes_out_at_once(app: Flask, app_with_handoffs: Later) -> None:
    register_customer(app)
    again = app_with_handoffs()

    printed(again, "--product", PRODUCT_CODE)

    assert claim_next(again) is not None


def test_a_purchase_that_has_ended_is_left_out(app: Flask, app_with_handoffs: Later) -> None:
    register_customer(app)
    receive_license_event(app, LICENSE_UPDATED, minutes_after_noon(1))
    receive_license_event(app, LICENSE_DEPROVISIONED, minutes_after_noon(2))

    assert printed(app_with_handoffs()).startswith("Registrations handed off: 0. ")


def test_a_dry_run_names_them_and_hands_nothing_off(app: Flask, app_with_handoffs: Later) -> None:
    subscription_id: UUID = register_customer(app)
    again = app_with_handoffs()

    assert printed(again, "--dry-run") == f"{subscription_id}\nRegistrations that would be handed off: 1\n"
    assert handoff_messages(again) == []


def test_a_product_that_takes_none_is_refused_with_what_to_set(app: Flask, app_with_handoffs: Later) -> None:
    result = app_with_handoffs().test_cli_runner().invoke(args=[*CATCH_UP, "--product", OTHER_PRODUCT_CODE])

    assert result.exit_code == 1
    assert f"{OTHER_PRODUCT_CODE} takes no hand-offs. Those that do: " in result.stderr
