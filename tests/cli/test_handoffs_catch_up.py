"""flask handoffs catch-up: who registered before the product took hand-offs is handed off once it does."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from uuid import UUID

import pytest
from flask import Flask

from app import create_app
from tests import factories
from tests.events import at
from tests.factories import CODE, OTHER_CODE
from tests.promised import DEPROVISIONED, UPDATED, claim, handed_off, is_told, mails, register

CATCH_UP = ("handoffs", "catch-up")
Later = Callable[[], Flask]


@pytest.fixture
def environment(environment: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A seller who mails from the start on, and hands nothing off yet."""
    environment.setenv("MAIL_FROM", "start@acme.example")
    environment.setenv("SITE_URL", "https://start.acme.example")
    return environment


@pytest.fixture
def later(app: Flask, environment: pytest.MonkeyPatch) -> Iterator[Later]:
    """Give what starts Foyer again on the same database, with a product that takes hand-offs."""
    with ExitStack() as running:

        def restarted() -> Flask:
            factories.hand_off(environment)
            return running.enter_context(factories.running(create_app()))

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


def test_who_was_never_told_of_is_handed_off_once_and_nobody_is_mailed(app: Flask, later: Later) -> None:
    earlier = [register(app, customer(number)) for number in (1, 2)]
    again = later()
    told = register(again, customer(3))
    mailed = len(mails(again))

    first, second = printed(again), printed(again)

    assert first.startswith("Registrations handed off: 2. A worker has to run: ")
    assert second.startswith("Registrations handed off: 0. ")
    assert [(each.subscription_id, each.type) for each in handed_off(again)] == [
        (one, "registration.completed") for one in (told, *earlier)
    ]
    assert handed_off(again)[1].payload["data"]["registration"]["full_name"] == "Ada Lovelace"
    assert len(mails(again)) == mailed


def test_what_was_handed_off_goes_out_at_once(app: Flask, later: Later) -> None:
    register(app)
    again = later()

    printed(again, "--product", CODE)

    assert claim(again) is not None


def test_a_purchase_that_has_ended_is_left_out(app: Flask, later: Later) -> None:
    register(app)
    is_told(app, UPDATED, at(1))
    is_told(app, DEPROVISIONED, at(2))

    assert printed(later()).startswith("Registrations handed off: 0. ")


def test_a_dry_run_names_them_and_hands_nothing_off(app: Flask, later: Later) -> None:
    subscription_id: UUID = register(app)
    again = later()

    assert printed(again, "--dry-run") == f"{subscription_id}\nRegistrations that would be handed off: 1\n"
    assert handed_off(again) == []


def test_a_product_that_takes_none_is_refused_with_what_to_set(app: Flask, later: Later) -> None:
    result = later().test_cli_runner().invoke(args=[*CATCH_UP, "--product", OTHER_CODE])

    assert result.exit_code == 1
    assert f"{OTHER_CODE} takes no hand-offs. Those that do: " in result.stderr
