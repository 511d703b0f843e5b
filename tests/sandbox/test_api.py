"""The storefront's JSON API: products, purchases, tokens, faults and reset."""

from typing import Any

import pytest
import requests

from sandbox.aws_errors import ExpiredToken
from sandbox.faults import Faults
from sandbox.purchases import Order
from sandbox.server import Sandbox
from tests.support.sandbox_api import call_api

ORDER = Order(product_code="insights1example", account_id="111122223333", free_trial=True)
UNKNOWN_PURCHASE_PATH = "/purchases/00000000-0000-0000-0000-000000000000"


def test_products_are_listed(sandbox: Sandbox) -> None:
    products = call_api(sandbox, "GET", "/products").json()

    assert [(product["code"], product["pricing"]) for product in products] == [
        ("insights1example", "subscription"),
        ("ledger2example", "contract"),
        ("relay3example", "contract-with-consumption"),
    ]


def test_order_creates_a_purchase(sandbox: Sandbox) -> None:
    order = {"product_code": "relay3example", "account_id": "000011112222", "style": "old", "free_trial": True}

    response = call_api(sandbox, "POST", "/purchases", order)

    assert response.status_code == 201
    assert response.json() == sandbox.marketplace.purchases[0].model_dump(mode="json")
    assert order.items() <= response.json().items()


def test_order_without_an_account_creates_a_new_account(sandbox: Sandbox) -> None:
    order = {"product_code": "relay3example"}

    accounts = {call_api(sandbox, "POST", "/purchases", order).json()["account_id"] for _ in range(2)}

    assert len(accounts) == 2


def test_purchases_are_listed_latest_first(sandbox: Sandbox) -> None:
    first, second = sandbox.marketplace.buy(ORDER), sandbox.marketplace.buy(ORDER)

    listed = call_api(sandbox, "GET", "/purchases").json()

    assert [purchase["id"] for purchase in listed] == [str(second.id), str(first.id)]


def test_purchase_is_shown(sandbox: Sandbox) -> None:
    purchase = sandbox.marketplace.buy(ORDER)

    shown = call_api(sandbox, "GET", f"/purchases/{purchase.id}").json()

    assert shown == purchase.model_dump(mode="json")


def test_token_comes_with_the_form_that_a_browser_would_post(sandbox: Sandbox) -> None:
    purchase = sandbox.marketplace.buy(ORDER)

    response = call_api(sandbox, "POST", f"/purchases/{purchase.id}/tokens")

    minted = response.json()
    assert response.status_code == 201
    assert sandbox.marketplace.resolve_token(minted["token"]) == purchase
    assert minted["action"] == "http://localhost:8000/"
    assert minted["fields"] == {
        "x-amzn-marketplace-token": minted["token"],
        "x-amzn-marketplace-offer-type": "free-trial",
    }


def test_token_with_zero_ttl_has_expired(sandbox: Sandbox) -> None:
    purchase = sandbox.marketplace.buy(ORDER)

    minted = call_api(sandbox, "POST", f"/purchases/{purchase.id}/tokens", {"ttl_seconds": 0}).json()

    with pytest.raises(ExpiredToken):
        sandbox.marketplace.resolve_token(minted["token"])


def test_put_switches_named_faults_on_and_others_off(sandbox: Sandbox) -> None:
    sandbox.marketplace.faults = Faults(expired=True)

    faults = call_api(sandbox, "PUT", "/faults", {"throttled": 2}).json()

    assert sandbox.marketplace.faults == Faults(throttled=2)
    assert faults == Faults(throttled=2).model_dump()


def test_faults_are_shown(sandbox: Sandbox) -> None:
    sandbox.marketplace.faults = Faults(slow=1.5)

    faults = call_api(sandbox, "GET", "/faults").json()

    assert faults == Faults(slow=1.5).model_dump()


def test_delete_switches_every_fault_off(sandbox: Sandbox) -> None:
    sandbox.marketplace.faults = Faults(expired=True)

    faults = call_api(sandbox, "DELETE", "/faults").json()

    assert sandbox.marketplace.faults == Faults()
    assert not any(faults.values())


def test_reset_deletes_purchases_and_faults(sandbox: Sandbox) -> None:
    sandbox.marketplace.buy(ORDER)
    sandbox.marketplace.faults = Faults(expired=True)

    response = call_api(sandbox, "POST", "/reset")

    assert response.status_code == 204
    assert sandbox.marketplace.purchases == []
    assert sandbox.marketplace.faults == Faults()


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "message"),
    [
        ("POST", "/purchases", None, 400, "product_code: Field required"),
        ("POST", "/purchases", [], 400, "body: Input should be a valid dictionary"),
        (
            "POST",
            "/purchases",
            {"product_code": "nope"},
            400,
            "nope is not sold here. Choose one of: insights1example, ledger2example, relay3example",
        ),
        ("POST", "/purchases", {"product_code": "x", "style": "odd"}, 400, "style: Input should be 'new' or 'old'"),
        (
            "POST",
            "/purchases",
            {"product_code": "x", "delivery": "soon"},
            400,
            "delivery: Input should be 'now', 'late'",
        ),
        ("POST", "/purchases", {"product_code": "x", "account_id": "12"}, 400, "account_id: String should match"),
        ("POST", "/purchases", {"product_code": "x", "trial": True}, 400, "trial: Extra inputs are not permitted"),
        ("GET", UNKNOWN_PURCHASE_PATH, None, 404, "There is no purchase 00000000-"),
        ("POST", f"{UNKNOWN_PURCHASE_PATH}/tokens", None, 404, "GET /api/purchases lists them"),
        (
            "POST",
            f"{UNKNOWN_PURCHASE_PATH}/tokens",
            {"ttl_seconds": -1},
            400,
            "ttl_seconds: Input should be greater than",
        ),
        ("PUT", "/faults", {"slow": 61}, 400, "slow: Input should be less than or equal to 60"),
        ("PUT", "/faults", {"tired": True}, 400, "tired: Extra inputs are not permitted"),
        ("GET", "/nowhere", None, 404, "not found"),
        ("PATCH", "/faults", {}, 405, "not allowed"),
    ],
)
def test_invalid_call_names_the_problem(
    sandbox: Sandbox, method: str, path: str, body: Any, status: int, message: str
) -> None:
    response = call_api(sandbox, method, path, body)

    assert response.status_code == status
    assert message in response.json()["error"]
    assert sandbox.marketplace.purchases == []


@pytest.mark.parametrize(("kind", "status"), [("application/json", 400), ("text/plain", 415)])
def test_body_that_is_not_json_is_refused(sandbox: Sandbox, kind: str, status: int) -> None:
    url = f"{sandbox.storefront_url}/api/purchases"

    response = requests.post(url, "{]", headers={"Content-Type": kind}, timeout=30)

    assert response.status_code == status
    assert response.json()["error"]
