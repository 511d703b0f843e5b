"""The welcome page of a contract: its entitlements, their end, and when AWS was last read."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine

from tests.support.aws_events import AGREEMENT_AMENDED, LICENSE_UPDATED
from tests.support.databases import on_sqlite
from tests.support.registered_buyer import EXPIRED_SEATS, NOW, VALID_SEATS, RegisteredBuyer

CHECKING = "We are checking what your contract covers."


@pytest.fixture(autouse=True, params=["contract", "contract-with-consumption"])
def contract(environment: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """The product is sold by contract, of either kind."""
    environment.setenv("PRODUCT_PRICING", request.param)


def test_contract_shows_entitlements_end_and_read_time(
    registered_buyer: RegisteredBuyer,
) -> None:
    registered_buyer.receive_event(LICENSE_UPDATED)
    registered_buyer.receive_event(AGREEMENT_AMENDED, ends="2027-11-03T00:00:00Z")
    registered_buyer.set_entitlements(
        VALID_SEATS,
        {"dimension": "support", "value": True, "expires_at": None},
        {"dimension": "gold", "value": False, "expires_at": "2026-11-03T14:05:00+00:00"},
        {"dimension": "tier", "value": None, "expires_at": "2027-11-03T00:00:00+00:00"},
    )

    page = registered_buyer.welcome_text()

    assert "Active since 3 November 2026. Sign in and start using Acme Insights." in page
    assert "Your contract runs until 3 November 2027." in page
    assert "Entitlement Value Until seats 1,500 3 November 2027 support Yes No end date" in page
    assert "gold No Expired 3 November 2026 tier Not stated 3 November 2027" in page
    assert "Checked with AWS Marketplace at 14:05 UTC on 3 November 2026." in page
    assert registered_buyer.refresh_seconds is None


@on_sqlite
def test_unread_contract_refreshes_while_young(
    clock: time_machine.Traveller, registered_buyer: RegisteredBuyer
) -> None:
    registered_buyer.receive_event(LICENSE_UPDATED)

    young, seconds = registered_buyer.welcome_text(), registered_buyer.refresh_seconds
    clock.shift(timedelta(hours=23))
    old = registered_buyer.welcome_text()

    assert CHECKING in young
    assert seconds == "5"
    assert CHECKING in old
    assert "check again" in old
    assert registered_buyer.refresh_seconds is None


@on_sqlite
@pytest.mark.parametrize("entitlements", [[], [EXPIRED_SEATS]])
def test_entitlements_read_before_activation_are_shown_as_being_checked(
    registered_buyer: RegisteredBuyer, entitlements: list[dict[str, Any]]
) -> None:
    registered_buyer.set_entitlements(*entitlements, read_at=NOW - timedelta(seconds=3))
    registered_buyer.receive_event(LICENSE_UPDATED)

    page = registered_buyer.welcome_text()

    assert CHECKING in page
    assert "Your subscription is active" in page
    assert "lists no entitlements" not in page
    assert registered_buyer.refresh_seconds == "5"


@on_sqlite
def test_entitlements_stay_visible_during_reread(registered_buyer: RegisteredBuyer) -> None:
    registered_buyer.set_entitlements(VALID_SEATS)
    registered_buyer.receive_event(AGREEMENT_AMENDED, ends="2026-11-03T14:05:00Z")
    registered_buyer.receive_event(LICENSE_UPDATED)

    page = registered_buyer.welcome_text()

    assert "seats 1,500" in page
    assert "runs until" not in page
    assert CHECKING not in page
    assert registered_buyer.refresh_seconds is None


@on_sqlite
def test_contract_without_entitlements_names_support(registered_buyer: RegisteredBuyer) -> None:
    registered_buyer.receive_event(LICENSE_UPDATED)
    registered_buyer.set_entitlements()

    page = registered_buyer.welcome_text()

    assert "AWS Marketplace lists no entitlements for your contract. Please email help@acme.example" in page
    assert "Checked with AWS Marketplace at 14:05 UTC" in page
    assert CHECKING not in page
    assert registered_buyer.refresh_seconds is None


@on_sqlite
def test_expired_contract_offers_renewal(
    registered_buyer: RegisteredBuyer,
) -> None:
    registered_buyer.receive_event(LICENSE_UPDATED)
    registered_buyer.receive_event(AGREEMENT_AMENDED, ends="2026-11-02T00:00:00Z")
    registered_buyer.set_entitlements(EXPIRED_SEATS)

    page = registered_buyer.welcome_text()

    assert "Your contract has expired" in page
    assert "The time that your contract covers is over." in page
    assert "renew the contract" in page
    assert "seats 25 Expired 2 November 2026" in page
    assert "Your subscription is active" not in page
    assert "runs until" not in page
    assert registered_buyer.refresh_seconds is None


@on_sqlite
@pytest.mark.parametrize(
    ("status", "shown"), [("pending", True), ("ending", True), ("ended", False), ("failed", False)]
)
def test_entitlements_are_shown_by_status(registered_buyer: RegisteredBuyer, status: str, shown: bool) -> None:
    registered_buyer.set_entitlements(VALID_SEATS)
    registered_buyer.update_subscription(status=status)

    assert ("seats 1,500" in registered_buyer.welcome_text()) is shown
