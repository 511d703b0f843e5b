"""The welcome page in each state: one message, at most one button, and nothing that contradicts it."""

from datetime import timedelta

import pytest

from tests.support.databases import on_sqlite
from tests.support.new_buyer import NewBuyer
from tests.support.registered_buyer import EXPIRED_SEATS, NOW, VALID_SEATS, RegisteredBuyer, visible_text

pytestmark = on_sqlite
URL = "https://app.acme.example/t/juniper"
BUTTON = 'class="button"'


@pytest.mark.parametrize(
    ("status", "buttons"), [("pending", 0), ("active", 1), ("ending", 1), ("ended", 0), ("failed", 0)]
)
def test_only_a_buyer_with_access_gets_a_button(registered_buyer: RegisteredBuyer, status: str, buttons: int) -> None:
    registered_buyer.update_subscription(status=status)

    page = registered_buyer.client.get("/welcome").text

    assert page.count(BUTTON) == buttons
    assert "button plain" not in page


def test_pending_buyer_whose_account_is_ready_can_start(new_buyer: NewBuyer) -> None:
    new_buyer.register()
    new_buyer.deliver_handoffs(url=URL, reference="juniper-1")
    new_buyer.client.get("/enter")

    page = new_buyer.client.get("/welcome").text
    words = visible_text(page)

    assert page.count(BUTTON) == 1
    assert "Your account is ready, and you can start now." in words
    assert "your access starts" not in words
    assert "You do not need to do anything" not in words


def test_button_comes_before_the_way_back_to_aws(registered_buyer: RegisteredBuyer) -> None:
    registered_buyer.update_subscription(status="ending")

    page = registered_buyer.client.get("/welcome").text

    assert page.index(BUTTON) < page.index("To stay, subscribe again")


@pytest.mark.parametrize("status", ["pending", "active", "ending", "ended", "failed"])
def test_registered_buyer_is_not_asked_to_sign_in_above(registered_buyer: RegisteredBuyer, status: str) -> None:
    registered_buyer.update_subscription(status=status)

    pages = [registered_buyer.client.get(path).text for path in ("/welcome", "/signup?change")]

    assert [page for page in pages if "Already have an account?" in page] == []


@pytest.mark.parametrize(
    ("ends_at", "until"),
    [
        (NOW - timedelta(hours=1), "3 November 2026"),
        (NOW + timedelta(days=28), "1 December 2026"),
        (NOW + timedelta(days=3650), "3 November 2027"),
        (None, "When it ends"),
    ],
)
def test_cancelled_contract_covers_nothing_after_its_end(
    environment: pytest.MonkeyPatch, request: pytest.FixtureRequest, ends_at: object, until: str
) -> None:
    environment.setenv("PRODUCT_PRICING", "contract")
    buyer: RegisteredBuyer = request.getfixturevalue("registered_buyer")
    unlimited = {**VALID_SEATS, "dimension": "support", "expires_at": None}
    buyer.set_entitlements(VALID_SEATS, unlimited, EXPIRED_SEATS)
    buyer.update_subscription(status="ending", ends_at=ends_at)

    page = buyer.welcome_text()

    assert f"seats 1,500 {until} support" in page
    assert "No end date" not in page
    assert "Expired 2 November 2026" in page
