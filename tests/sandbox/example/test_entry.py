"""The buyer's way into the example product: with an assertion once, or by signing in; and its pages."""

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

ENTITLEMENTS = [
    {"dimension": "seats", "value": 25, "expires_at": "2027-11-23T12:00:00.000Z"},
    {"dimension": "priority_support", "value": True, "expires_at": None},
]
SIGN_IN = "Please open it again"


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


def invited(example: ExampleProduct, **subscription: Any) -> str:
    url: str = send_handoff(example.handoff_url, handoff(**subscription)).json()["url"]
    return url


def come(browser: requests.Session, url: str, assertion: str = "") -> requests.Response:
    return check_example_page(browser.get(url, params={"foyer_assertion": assertion} if assertion else None, timeout=5))


def test_a_buyer_with_an_assertion_is_greeted_by_name(
    example: ExampleProduct, browser: requests.Session, keys: FakeFoyer
) -> None:
    url = invited(example, status="active", entitlements=ENTITLEMENTS, product_code=fake_foyer.OTHER_PRODUCT_CODE)

    page = come(browser, url, keys.sign_in_token(aud=fake_foyer.OTHER_PRODUCT_CODE))

    assert page.url == url.removesuffix("/enter")
    assert [hop.status_code for hop in page.history] == [303]
    for text in ("Welcome, Ada Lovelace", "Juniper &amp; Lark", "Acme Ledger", "Active", "seats", "25", "yes"):
        assert text in page.text


def test_the_session_goes_on_without_the_assertion(
    example: ExampleProduct, browser: requests.Session, keys: FakeFoyer
) -> None:
    url = invited(example)
    came = come(browser, url, keys.sign_in_token())

    send_handoff(example.handoff_url, handoff("subscription.activated", sequence=2, status="active"))
    later = come(browser, url.removesuffix("/enter"))

    assert "Pending" in came.text
    assert came.headers["Refresh"] == "3"
    assert "Welcome, Ada Lovelace" in later.text
    assert "Active" in later.text
    assert "Refresh" not in later.headers
    assert [cookie.name for cookie in browser.cookies] == ["example-session"]


def test_an_assertion_is_good_once(example: ExampleProduct, browser: requests.Session, keys: FakeFoyer) -> None:
    url, assertion = invited(example), keys.sign_in_token()
    come(browser, url, assertion)

    again = come(requests.Session(), url, assertion)
    mine = come(browser, url, assertion)

    assert (again.status_code, mine.status_code) == (403, 403)
    assert SIGN_IN in again.text
    assert f'href="{keys.site_url}/welcome"' in again.text
    assert "You are signed in" in mine.text


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
def test_an_assertion_of_anything_else_lets_nobody_in(
    example: ExampleProduct, browser: requests.Session, keys: FakeFoyer, claims: dict[str, Any]
) -> None:
    url = invited(example)

    page = come(browser, url, keys.sign_in_token(**claims))

    assert page.status_code == 403
    assert SIGN_IN in page.text
    assert not browser.cookies


@pytest.mark.parametrize("assertion", ["", "nonsense", "a.b.c"])
def test_without_an_assertion_nobody_gets_in(
    example: ExampleProduct, browser: requests.Session, assertion: str
) -> None:
    page = come(browser, invited(example), assertion)

    assert page.status_code == 403
    assert SIGN_IN in page.text


def test_an_assertion_that_somebody_else_has_signed_lets_nobody_in(
    example: ExampleProduct, browser: requests.Session, keys: FakeFoyer
) -> None:
    forger = FakeFoyer()
    forger.key, forger.site_url = Ed25519PrivateKey.generate(), keys.site_url

    page = come(browser, invited(example), forger.sign_in_token())

    assert page.status_code == 403


def test_an_assertion_does_not_open_the_account_of_another(
    example: ExampleProduct, browser: requests.Session, keys: FakeFoyer
) -> None:
    invited(example)
    others = invited(example, **OTHER_SUBSCRIPTION, registration=GRACE_REGISTRATION)

    page = come(browser, others, keys.sign_in_token())

    assert page.status_code == 403


def test_while_foyer_does_not_publish_its_keys_the_page_says_so(browser: requests.Session) -> None:
    gone = FakeFoyer()
    with fake_foyer.publish_keys(gone):
        pass
    with ExampleProduct(secrets=[SECRET], site_url=gone.site_url) as example:
        page = come(browser, invited(example), gone.sign_in_token())

    assert page.status_code == 503
    assert "Nothing is lost" in page.text


def test_who_only_typed_which_account_is_theirs_has_to_sign_in(
    example: ExampleProduct, browser: requests.Session, keys: FakeFoyer
) -> None:
    url = invited(example, registration=GRACE_REGISTRATION, account=existing_account_request(QUILLFEATHER_REFERENCE))

    page = come(browser, url, keys.sign_in_token(registration_id=GRACE_REGISTRATION["id"]))

    assert page.url == f"{example.sign_in_url}?account={QUILLFEATHER_REFERENCE}"
    assert "Sign in as somebody who works in Quillfeather Press" in page.text
    assert "Juniper" not in page.text
    assert not browser.cookies


def test_a_member_signs_in_and_out(example: ExampleProduct, browser: requests.Session) -> None:
    member = {"account": QUILLFEATHER_REFERENCE, "member": "first-1"}

    page = check_example_page(browser.post(example.sign_in_url, data=member, timeout=5))
    out = check_example_page(browser.post(f"{example.url}/logout", timeout=5))
    after = come(browser, f"{example.url}/t/{QUILLFEATHER_REFERENCE}")

    assert "Welcome, Grace Hopper" in page.text
    assert "No purchase on AWS Marketplace" in page.text
    assert out.url == example.sign_in_url
    assert after.url.startswith(example.sign_in_url)


@pytest.mark.parametrize(
    "member", [{}, {"account": QUILLFEATHER_REFERENCE, "member": REGISTRATION_PAYLOAD["id"]}, {"account": "none"}]
)
def test_nobody_signs_in_as_a_stranger(
    example: ExampleProduct, browser: requests.Session, member: dict[str, str]
) -> None:
    page = check_example_page(browser.post(example.sign_in_url, data=member, timeout=5))

    assert (page.status_code, page.url) == (200, example.sign_in_url)
    assert not browser.cookies


def test_a_session_opens_no_other_account(example: ExampleProduct, browser: requests.Session, keys: FakeFoyer) -> None:
    come(browser, invited(example), keys.sign_in_token())

    page = come(browser, f"{example.url}/t/{QUILLFEATHER_REFERENCE}")

    assert page.url == f"{example.sign_in_url}?account={QUILLFEATHER_REFERENCE}"


def test_a_session_ends_with_its_tenant(example: ExampleProduct, browser: requests.Session, keys: FakeFoyer) -> None:
    url = invited(example)
    come(browser, url, keys.sign_in_token())

    example.reset()
    page = come(browser, url.removesuffix("/enter"))

    assert page.url.startswith(example.sign_in_url)


def test_a_page_that_is_not_there_leads_back(example: ExampleProduct, browser: requests.Session) -> None:
    page = come(browser, f"{example.url}/nowhere")

    assert page.status_code == 404
    assert "Front page" in page.text


@pytest.mark.parametrize("file", ["product.css", "acme.svg"])
def test_what_the_pages_load_is_there(example: ExampleProduct, file: str) -> None:
    found = requests.get(f"{example.url}/static/{file}", timeout=5)

    assert found.ok
