"""Entering the product: waiting for the account, a long wait, a refusal, and the redirect with a sign-in token."""

import re
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest

from app.models import AuditEntry
from app.services.signup import progress
from tests.support import aws_events, registered_buyer
from tests.support.clock import time_passes
from tests.support.databases import on_sqlite
from tests.support.factories import PRODUCT_CODE
from tests.support.new_buyer import NewBuyer
from tests.support.stored_rows import all_rows

URL = "https://app.acme.example/t/juniper?tab=1"


@pytest.mark.usefixtures("clock")
def test_page_refreshes_until_ready_then_enters(new_buyer: NewBuyer) -> None:
    new_buyer.register()
    waiting, refresh = new_buyer.page_text(), new_buyer.refresh_header()

    new_buyer.deliver_handoffs(url=URL, reference="juniper-1")
    ready, redirect = new_buyer.page_text(), new_buyer.refresh_header()

    assert "Setting up your account" in waiting
    assert refresh == "1; url=/welcome"
    assert "Your account is ready" in ready
    assert redirect == "1; url=/enter"


def test_enter_redirects_to_account_with_sign_in_token(new_buyer: NewBuyer) -> None:
    new_buyer.register()
    new_buyer.deliver_handoffs(url=URL, reference="juniper-1")

    entered = new_buyer.client.get("/enter")

    location = urlsplit(entered.headers["Location"])
    assert entered.status_code == 303
    assert (location.netloc, location.path) == ("app.acme.example", "/t/juniper")
    parameters = parse_qs(location.query)
    assert parameters["tab"] == ["1"]
    keys = jwt.PyJWKSet.from_json(new_buyer.client.get("/.well-known/jwks.json").text)
    [sign_in_token] = parameters[progress.QUERY_PARAMETER]
    claims = jwt.decode(
        sign_in_token,
        keys.keys[0].key,
        algorithms=["EdDSA"],
        audience=PRODUCT_CODE,
        issuer="https://start.acme.example",
    )
    payload = new_buyer.product.deliveries[0]["data"]
    assert claims["sub"] == payload["subscription"]["id"]
    assert claims["registration_id"] == payload["registration"]["id"]
    assert claims["reference"] == "juniper-1"
    assert "Lovelace" not in str(claims)
    assert "ada@" not in str(claims)


@on_sqlite
def test_reply_without_url_enters_at_sign_in_page(new_buyer: NewBuyer) -> None:
    new_buyer.register()
    new_buyer.deliver_handoffs()

    location = new_buyer.client.get("/enter").headers["Location"]

    assert location.startswith(f"https://app.acme.example/login?{progress.QUERY_PARAMETER}=")


@on_sqlite
def test_entered_buyer_is_not_redirected_again(new_buyer: NewBuyer) -> None:
    new_buyer.register()
    new_buyer.deliver_handoffs(url=URL, reference="juniper-1")
    new_buyer.client.get("/enter")

    page = new_buyer.client.get("/welcome")

    assert page.headers["Refresh"] == "5; url=/welcome"
    assert '<a class="button" href="/enter">Open Acme Insights</a>' in re.sub(r"\s+", " ", page.text)
    assert "juniper-1" in page.text


@on_sqlite
def test_other_browser_gets_sign_in_page_without_token(new_buyer: NewBuyer) -> None:
    purchase = new_buyer.register()
    new_buyer.deliver_handoffs(url=URL, reference="juniper-1")
    colleague = new_buyer.land_in_other_browser(purchase)

    page = colleague.get("/welcome").text
    entered = colleague.get("/enter")

    assert "https://app.acme.example/login" in page
    assert URL not in page
    assert progress.QUERY_PARAMETER not in page
    assert entered.headers["Location"] == "/welcome"


@on_sqlite
def test_enter_before_reply_returns_to_welcome(new_buyer: NewBuyer) -> None:
    new_buyer.register()

    assert new_buyer.client.get("/enter").headers["Location"] == "/welcome"


@on_sqlite
def test_long_wait_shows_deadline_and_progress_link(new_buyer: NewBuyer) -> None:
    new_buyer.register()
    new_buyer.deliver_handoffs(503)

    with time_passes(minutes=3):
        page = new_buyer.client.get("/welcome")
        [link] = re.findall(r'href="(/progress/[^"]+)"', page.text)
        other_browser_page = new_buyer.client.application.test_client().get(link)

    assert "still creating your account" in page.text
    assert "one working day" in page.text
    assert "ada@gmail.com" in page.text
    assert page.headers["Refresh"] == "5; url=/welcome"
    # A mail program leaves a trailing = out of the link that it makes.
    assert re.fullmatch(r"/progress/[A-Za-z0-9_.-]+", link)
    assert "still creating your account" in other_browser_page.text
    assert other_browser_page.headers["Refresh"] == f"5; url={link}"
    assert "a•••@gmail.com" in other_browser_page.text
    assert "ada@gmail.com" not in other_browser_page.text


@on_sqlite
def test_failed_handoff_shows_manual_setup(new_buyer: NewBuyer) -> None:
    new_buyer.register()
    new_buyer.deliver_handoffs(410)

    page = new_buyer.page_text()

    assert "could not create your account automatically" in page
    assert "one working day" in page


@on_sqlite
@pytest.mark.parametrize(
    ("reason", "text"),
    [
        ("not_found", "could not find the account “acme-7”"),
        ("not_allowed", "does not let you add a purchase to the account “acme-7”"),
        ("already_linked", "Another purchase already pays for the account “acme-7”"),
        ("confirmation_needed", "asked an administrator of the account “acme-7” to confirm"),
        ("not_supported", "cannot add a purchase to an existing account automatically"),
    ],
)
def test_refusal_shows_reason_and_other_choices(new_buyer: NewBuyer, reason: str, text: str) -> None:
    new_buyer.register(account="existing", existing_account="acme-7")
    new_buyer.deliver_handoffs(refused=reason)

    page = new_buyer.page_text()

    assert text in page
    assert "Choose another account" in page
    assert new_buyer.client.get("/enter").headers["Location"] == "/welcome"


@on_sqlite
def test_ended_purchase_stops_waiting_for_account(new_buyer: NewBuyer) -> None:
    purchase = new_buyer.register()
    new_buyer.deliver_handoffs(503)

    registered_buyer.RegisteredBuyer(new_buyer.client, purchase).receive_event(aws_events.LICENSE_DEPROVISIONED)

    assert "has ended" in new_buyer.page_text()


def test_first_entry_into_the_product_is_recorded_once(new_buyer: NewBuyer) -> None:
    new_buyer.register()
    new_buyer.deliver_handoffs(url=URL, reference="juniper-1")

    for _ in range(2):
        assert new_buyer.client.get("/enter").status_code == 303

    actions = [entry.action for entry in all_rows(new_buyer.client.application, AuditEntry)]
    assert actions == ["registration.completed", "product.entered"]
