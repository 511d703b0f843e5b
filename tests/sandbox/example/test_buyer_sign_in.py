"""Buyers enter the example product with a one-time assertion, or members sign in."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sandbox.example.server import ExampleProduct
from tests.support import fake_foyer
from tests.support.fake_foyer import (
    GRACE_REGISTRATION,
    OTHER_SUBSCRIPTION,
    QUILLFEATHER_REFERENCE,
    REGISTRATION_PAYLOAD,
    SECRET,
    FakeFoyer,
    check_example_page,
    existing_account_request,
    handoff,
    send_handoff,
)

Browser = requests.Session

ENTITLEMENTS = [
    {"dimension": "seats", "value": 25, "expires_at": "2027-11-23T12:00:00.000Z"},
    {"dimension": "priority_support", "value": True, "expires_at": None},
]
OPEN_AGAIN = "Please open it again"


@pytest.fixture(scope="module")
def published() -> Iterator[FakeFoyer]:
    with fake_foyer.publish_keys(FakeFoyer()) as running:
        yield running


@pytest.fixture
def keys(published: FakeFoyer, example: ExampleProduct) -> FakeFoyer:
    """The Foyer whose assertions the example product trusts."""
    example.site_url = published.site_url
    return published


@pytest.fixture
def browser() -> Iterator[requests.Session]:
    with requests.Session() as session:
        yield session


def enter_url(example: ExampleProduct, **subscription: Any) -> str:
    url: str = send_handoff(example.handoff_url, handoff(**subscription)).json()["url"]
    return url


def open_page(browser: Browser, url: str, assertion: str = "") -> requests.Response:
    return check_example_page(
        browser.get(url, params={"foyer_assertion": assertion} if assertion else None, timeout=30)
    )


def test_buyer_with_an_assertion_is_greeted_by_name(example: ExampleProduct, browser: Browser, keys: FakeFoyer) -> None:
    url = enter_url(example, status="active", entitlements=ENTITLEMENTS, product_code=fake_foyer.OTHER_PRODUCT_CODE)

    page = open_page(browser, url, keys.sign_in_token(aud=fake_foyer.OTHER_PRODUCT_CODE))

    assert page.url == url.removesuffix("/enter")
    assert [hop.status_code for hop in page.history] == [303]
    for text in ("Welcome, Ada Lovelace", "Juniper &amp; Lark", "Acme Ledger", "Active", "seats", "25", "yes"):
        assert text in page.text


def test_session_continues_without_the_assertion(example: ExampleProduct, browser: Browser, keys: FakeFoyer) -> None:
    url = enter_url(example)
    first = open_page(browser, url, keys.sign_in_token())

    send_handoff(example.handoff_url, handoff("subscription.activated", sequence=2, status="active"))
    later = open_page(browser, url.removesuffix("/enter"))

    assert "Pending" in first.text
    assert first.headers["Refresh"] == "3"
    assert "Welcome, Ada Lovelace" in later.text
    assert "Active" in later.text
    assert "Refresh" not in later.headers
    assert [cookie.name for cookie in browser.cookies] == ["example-session"]


def test_assertion_works_once(example: ExampleProduct, browser: Browser, keys: FakeFoyer) -> None:
    url, assertion = enter_url(example), keys.sign_in_token()
    open_page(browser, url, assertion)

    other_browser = open_page(requests.Session(), url, assertion)
    same_browser = open_page(browser, url, assertion)

    assert (other_browser.status_code, same_browser.status_code) == (403, 403)
    assert OPEN_AGAIN in other_browser.text
    assert f'href="{keys.site_url}/welcome"' in other_browser.text
    assert "You are signed in" in same_browser.text


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": int(time.time()) - 31, "iat": int(time.time()) - 331},
        {"aud": "somebody-elses"},
        {"aud": fake_foyer.OTHER_PRODUCT_CODE},
        {"iss": "http://localhost:1"},
        {"iat": int(time.time()) + 3600, "exp": int(time.time()) + 3900},
        {"sub": OTHER_SUBSCRIPTION["id"]},
        {"jti": None},
        {"exp": None},
    ],
    ids=[
        "expired",
        "not our product",
        "another product of ours",
        "another issuer",
        "not yet",
        "another subscription",
        "no jti",
        "no end",
    ],
)
def test_assertion_with_wrong_claims_is_refused(
    example: ExampleProduct, browser: Browser, keys: FakeFoyer, claims: dict[str, Any]
) -> None:
    url = enter_url(example)

    page = open_page(browser, url, keys.sign_in_token(**claims))

    assert page.status_code == 403
    assert OPEN_AGAIN in page.text
    assert not browser.cookies


@pytest.mark.parametrize("assertion", ["", "nonsense", "a.b.c"])
def test_missing_or_malformed_assertion_is_refused(example: ExampleProduct, browser: Browser, assertion: str) -> None:
    page = open_page(browser, enter_url(example), assertion)

    assert page.status_code == 403
    assert OPEN_AGAIN in page.text


def test_assertion_signed_with_another_key_is_refused(
    example: ExampleProduct, browser: Browser, keys: FakeFoyer
) -> None:
    forger = FakeFoyer()
    forger.key, forger.site_url = Ed25519PrivateKey.generate(), keys.site_url

    page = open_page(browser, enter_url(example), forger.sign_in_token())

    assert page.status_code == 403


def test_assertion_for_another_account_is_refused(example: ExampleProduct, browser: Browser, keys: FakeFoyer) -> None:
    enter_url(example)
    other_url = enter_url(example, **OTHER_SUBSCRIPTION, registration=GRACE_REGISTRATION)

    page = open_page(browser, other_url, keys.sign_in_token())

    assert page.status_code == 403


def test_unavailable_foyer_keys_are_reported_on_the_page(browser: Browser) -> None:
    gone = FakeFoyer()
    with fake_foyer.publish_keys(gone):
        pass
    with ExampleProduct(secrets=[SECRET], site_url=gone.site_url) as example:
        page = open_page(browser, enter_url(example), gone.sign_in_token())

    assert page.status_code == 503
    assert "Nothing is lost" in page.text


def test_buyer_who_only_typed_an_account_must_sign_in(
    example: ExampleProduct, browser: Browser, keys: FakeFoyer
) -> None:
    url = enter_url(example, registration=GRACE_REGISTRATION, account=existing_account_request(QUILLFEATHER_REFERENCE))

    page = open_page(browser, url, keys.sign_in_token(registration_id=GRACE_REGISTRATION["id"]))

    assert page.url == f"{example.sign_in_url}?account={QUILLFEATHER_REFERENCE}"
    assert "To open Quillfeather Press’s account, sign in as one of its members" in page.text
    assert "Juniper" not in page.text
    assert not browser.cookies


def test_member_signs_in_and_out(example: ExampleProduct, browser: Browser) -> None:
    member = {"account": QUILLFEATHER_REFERENCE, "member": "first-1"}

    page = check_example_page(browser.post(example.sign_in_url, data=member, timeout=30))
    out = check_example_page(browser.post(f"{example.url}/logout", timeout=30))
    after = open_page(browser, f"{example.url}/t/{QUILLFEATHER_REFERENCE}")

    assert "Welcome, Grace Hopper" in page.text
    assert "no purchase on AWS Marketplace" in page.text
    assert out.url == example.sign_in_url
    assert after.url.startswith(example.sign_in_url)


@pytest.mark.parametrize(
    "member", [{}, {"account": QUILLFEATHER_REFERENCE, "member": REGISTRATION_PAYLOAD["id"]}, {"account": "none"}]
)
def test_unknown_member_cannot_sign_in(example: ExampleProduct, browser: Browser, member: dict[str, str]) -> None:
    page = check_example_page(browser.post(example.sign_in_url, data=member, timeout=30))

    assert (page.status_code, page.url) == (200, example.sign_in_url)
    assert not browser.cookies


def test_session_does_not_open_another_account(example: ExampleProduct, browser: Browser, keys: FakeFoyer) -> None:
    open_page(browser, enter_url(example), keys.sign_in_token())

    page = open_page(browser, f"{example.url}/t/{QUILLFEATHER_REFERENCE}")

    assert page.url == f"{example.sign_in_url}?account={QUILLFEATHER_REFERENCE}"


def test_session_ends_when_its_tenant_is_deleted(example: ExampleProduct, browser: Browser, keys: FakeFoyer) -> None:
    url = enter_url(example)
    open_page(browser, url, keys.sign_in_token())

    example.reset()
    page = open_page(browser, url.removesuffix("/enter"))

    assert page.url.startswith(example.sign_in_url)


def test_unknown_page_links_to_the_front_page(example: ExampleProduct, browser: Browser) -> None:
    page = open_page(browser, f"{example.url}/nowhere")

    assert page.status_code == 404
    assert "Front page" in page.text


@pytest.mark.parametrize("file", ["product.css", "acme.svg"])
def test_static_files_are_served(example: ExampleProduct, file: str) -> None:
    response = requests.get(f"{example.url}/static/{file}", timeout=30)

    assert response.ok
