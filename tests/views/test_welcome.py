"""The welcome page: the registration, the subscription's status, and the link into the product."""

import re
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
import time_machine
from flask import Flask, render_template
from flask.testing import FlaskClient

from app.config import products
from app.services.events import apply
from app.services.signup import progress
from app.views import welcome
from app.views.browser_session import Visit
from sandbox.purchases import Order
from sandbox.server import Sandbox
from tests.support import factories
from tests.support.aws_events import (
    AGREEMENT_ENDED,
    LICENSE_DEPROVISIONED,
    LICENSE_UPDATED,
    parse_event,
    sns_notification,
)
from tests.support.databases import on_sqlite
from tests.support.factories import PRODUCT_CODE, TOKEN_FIELD
from tests.support.page_checks import check_page, csrf_token
from tests.support.registered_buyer import NOW, RegisteredBuyer, land_and_register

WAITING = "We are waiting for AWS Marketplace to confirm your subscription."


def test_welcome_shows_answers_and_next_steps(client: FlaskClient, sandbox: Sandbox) -> None:
    purchase = sandbox.marketplace.buy(Order(product_code=PRODUCT_CODE, account_id="012345678901"))

    land_and_register(client, sandbox.marketplace.mint_token(purchase))
    page = client.get("/welcome").text

    assert "Juniper &amp; Lark" in page
    assert "Ada Lovelace" in page
    assert "ada@gmail.com" in page
    assert "•••• •••• 8901" in page
    assert str(purchase.agreement_id) in page
    assert WAITING in page
    assert "https://app.acme.example/login" in page
    assert "help@acme.example" in page


@pytest.mark.parametrize(("lines", "folded"), [(1, None), (12, None), (13, "1 more line"), (100, "88 more lines")])
def test_long_note_is_folded_after_twelve_lines(
    client: FlaskClient, sandbox: Sandbox, lines: int, folded: str | None
) -> None:
    note = "\n".join(f"{number}\t<seats>" for number in range(lines))

    client.post("/", data={TOKEN_FIELD: factories.token(sandbox)})
    form = {**factories.ANSWERS, "notes": note, "csrf_token": csrf_token(client.get("/signup").text)}
    client.post("/signup", data=form)
    page = client.get("/welcome").text

    # Nothing of it is left out.
    assert page.count("\t&lt;seats&gt;") == lines
    assert re.findall(r"<summary>(\d+ more lines?)</summary>", page) == ([folded] if folded else [])


def test_other_browser_sees_masked_registration(client: FlaskClient, sandbox: Sandbox) -> None:
    purchase = sandbox.marketplace.buy(factories.order())
    land_and_register(client, sandbox.marketplace.mint_token(purchase))

    colleague = client.application.test_client()
    page = colleague.post("/", data={TOKEN_FIELD: sandbox.marketplace.mint_token(purchase)}, follow_redirects=True).text

    assert "Juniper &amp; Lark" in page
    assert "a•••@gmail.com" in page
    assert "ada@gmail.com" not in page
    assert "Lovelace" not in page
    assert "after ten" not in page


def test_unregistered_buyer_is_redirected_to_form(client: FlaskClient, sandbox: Sandbox) -> None:
    client.post("/", data={TOKEN_FIELD: factories.token(sandbox)})

    assert client.get("/welcome").location == "/signup"


def test_welcome_without_purchase_is_refused_with_help(client: FlaskClient) -> None:
    page = client.get("/welcome")

    assert page.status_code == 403
    assert "Manage subscriptions" in page.text


def test_active_subscription_shows_first_day(registered_buyer: RegisteredBuyer) -> None:
    registered_buyer.receive_event(LICENSE_UPDATED)

    page = registered_buyer.welcome_text()

    assert "Your subscription is active" in page
    assert "Active since 3 November 2026." in page
    assert "free trial" not in page.lower()
    assert "covers" not in page
    assert registered_buyer.refresh_seconds is None


@on_sqlite
@pytest.mark.parametrize("free_trial", [True, False, None])
@pytest.mark.parametrize("landing_fields", [{}, {"x-amzn-marketplace-offer-type": "free-trial"}])
def test_free_trial_follows_aws_then_browser(
    client: FlaskClient, sandbox: Sandbox, free_trial: bool | None, landing_fields: dict[str, str]
) -> None:
    purchase = sandbox.marketplace.buy(factories.order())
    land_and_register(client, sandbox.marketplace.mint_token(purchase), **landing_fields)
    buyer = RegisteredBuyer(client, purchase)
    buyer.receive_event(LICENSE_UPDATED)
    buyer.update_subscription(free_trial=free_trial)

    page = buyer.welcome_text()

    is_trial = bool(landing_fields) if free_trial is None else free_trial
    assert ("Your free trial is active" in page) is is_trial
    assert ("You are on a free trial." in page) is is_trial
    assert ("Acme Insights Free trial" in page) is is_trial


@on_sqlite
def test_ending_subscription_shows_last_day_and_renewal(registered_buyer: RegisteredBuyer) -> None:
    registered_buyer.receive_event(LICENSE_UPDATED)
    registered_buyer.receive_event(AGREEMENT_ENDED, status="CANCELLED", ends="2027-11-03T00:00:00Z")

    page = registered_buyer.welcome_text()

    assert "Your subscription is ending" in page
    assert "Its last day was 3 November 2026. You keep access for a short while" in page
    assert "To stay, subscribe again" in page
    assert registered_buyer.refresh_seconds is None


@on_sqlite
@pytest.mark.parametrize(
    ("ends_at", "sentence"),
    [
        (NOW + timedelta(days=28), "It ends on 1 December 2026, at 14:05 UTC. You keep access until then."),
        (None, "You keep access until the subscription ends"),
    ],
)
def test_future_end_shows_its_time(registered_buyer: RegisteredBuyer, ends_at: datetime | None, sentence: str) -> None:
    registered_buyer.update_subscription(status="ending", ends_at=ends_at)

    assert sentence in registered_buyer.welcome_text()


@on_sqlite
def test_ended_subscription_shows_last_day_and_return(
    registered_buyer: RegisteredBuyer,
) -> None:
    registered_buyer.receive_event(LICENSE_UPDATED, NOW - timedelta(days=30))
    registered_buyer.receive_event(LICENSE_DEPROVISIONED)

    page = registered_buyer.welcome_text()

    assert "Your subscription has ended" in page
    assert "It ended on 3 November 2026." in page
    assert "Find Acme Insights and subscribe again." in page
    assert registered_buyer.refresh_seconds is None


@on_sqlite
def test_failed_purchase_shows_what_to_do(clock: time_machine.Traveller, client: FlaskClient, sandbox: Sandbox) -> None:
    purchase = sandbox.marketplace.buy(Order(product_code=PRODUCT_CODE, style="old"))
    land_and_register(client, sandbox.marketplace.mint_token(purchase))
    with client.application.app_context():
        apply.ingest(parse_event(sns_notification("subscribe-fail", NOW, customer=purchase.customer_identifier)))

    response = client.get("/welcome")

    assert "Refresh" not in response.headers
    assert "<h1>Your purchase is not confirmed</h1>" in response.text
    assert "for example because the payment did not go through" in response.text
    assert '<a href="https://console.aws.amazon.com/marketplace/">AWS Marketplace console</a>' in response.text
    assert 'email <a href="mailto:help@acme.example">' in response.text
    assert 'class="button' not in response.text


@on_sqlite
@pytest.mark.parametrize("status", ["pending", "active", "ending", "ended", "failed"])
def test_status_decides_access_message_and_sign_in_link(registered_buyer: RegisteredBuyer, status: str) -> None:
    registered_buyer.update_subscription(status=status)

    page = registered_buyer.client.get("/welcome").text

    is_live = status in {"pending", "active"}
    assert ('aria-label="Progress"' in page) is is_live
    assert ("You are registered" in page) is (status == "pending")
    assert ("your access starts" in page) is (status == "pending")
    assert ("Sign in to Acme Insights</a>" in page) is (status != "failed")
    assert "Juniper &amp; Lark" in page


@on_sqlite
def test_usage_priced_product_shows_no_entitlements(registered_buyer: RegisteredBuyer) -> None:
    registered_buyer.receive_event(LICENSE_UPDATED)
    registered_buyer.set_entitlements()

    page = registered_buyer.welcome_text()

    assert "Your subscription is active" in page
    assert "entitlement" not in page.lower()
    assert "contract" not in page.lower()


def test_missing_subscription_reads_as_pending(app: Flask) -> None:
    now = datetime.now(UTC)
    registration = SimpleNamespace(company="Juniper", full_name="Ada", email="ada@gmail.com", created_at=now)
    with app.test_request_context():
        product = products.current()[PRODUCT_CODE]
        visit = Visit(factories.resolved(), product)

        page = render_template(
            "welcome.html",
            visit=visit,
            product=product,
            registration=registration,
            subscription=None,
            stage=progress.NOT_REQUESTED,
            in_full=True,
        )

    check_page(page)
    assert "<h1>You are registered</h1>" in page
    assert WAITING in page
    assert welcome.waiting_since(registration.created_at, None, None, progress.NOT_REQUESTED) == now
