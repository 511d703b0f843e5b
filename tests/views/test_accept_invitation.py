"""Accepting an invitation: what the page shows, which browser is admitted, and what the audit records."""

from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.models import Invitation, Registration, Subscription
from app.services.purchases import subscriptions
from sandbox.server import Sandbox
from tests.support import factories
from tests.support.aws_events import AGREEMENT_CREATED, LICENSE_UPDATED
from tests.support.databases import on_sqlite
from tests.support.factories import ANSWERS, TOKEN_FIELD
from tests.support.page_checks import csrf_token
from tests.support.registered_buyer import RegisteredBuyer, visible_text
from tests.support.stored_rows import all_rows
from tests.views.colleagues import COLLEAGUE_ANSWERS, accept_invitation, audit_actions, create_invitation


def subscription_of(browser: FlaskClient) -> UUID:
    with browser.session_transaction() as session:
        return UUID(session["SubscriptionId"])


def register(browser: FlaskClient, **answers: str) -> TestResponse:
    form = {**answers, "csrf_token": csrf_token(browser.get("/signup").text)}
    return browser.post("/signup", data=form)


def session_of(browser: FlaskClient) -> str:
    cookie = browser.get_cookie("session", domain="localhost")
    assert cookie
    return cookie.value


@on_sqlite
def test_invitation_page_shows_product_and_masked_account(colleague_client: FlaskClient, invitation_link: str) -> None:
    page = visible_text(colleague_client.get(invitation_link).text)

    assert "Your colleague bought Acme Insights on AWS Marketplace and asked you to set it up" in page
    assert "•••• •••• 8901" in page
    assert "012345678901" not in page
    assert "agmt-" not in page
    assert "gmail" not in page


@on_sqlite
def test_invitation_page_masks_old_listing_customer(app: Flask, client: FlaskClient) -> None:
    old_listing = {
        "customer_aws_account_id": None,
        "customer_identifier": "ifAPi5AcF3",
        "license_arn": None,
        "agreement_id": None,
    }
    with app.app_context():
        subscription_id = subscriptions.upsert_from_landing(factories.landing(**old_listing))
    _, link = create_invitation(app, subscription_id)

    page = client.get(link).text

    assert "•• •••• AcF3" in page
    assert "ifAPi5" not in page


@on_sqlite
def test_opening_the_link_does_not_accept_the_invitation(app: Flask, invitation_link: str) -> None:
    for _ in range(3):
        scanner = app.test_client()
        assert scanner.get(invitation_link).status_code == 200
        assert scanner.head(invitation_link).status_code == 200

    assert [invitation.accepted_at for invitation in all_rows(app, Invitation)] == [None]


def test_colleague_registers_and_audit_names_the_invitation(
    app: Flask, colleague_client: FlaskClient, invitation_link: str
) -> None:
    accepted = accept_invitation(colleague_client, invitation_link)
    form = colleague_client.get("/signup").text
    sent = register(colleague_client, **COLLEAGUE_ANSWERS)

    assert (accepted.status_code, accepted.location) == (303, "/signup")
    assert "•••• •••• 8901" in form
    assert (sent.status_code, sent.location) == (303, "/welcome")
    [registration], [subscription] = all_rows(app, Registration), all_rows(app, Subscription)
    assert (registration.subscription_id, registration.full_name) == (subscription.id, "Grace Hopper")
    [invitation] = all_rows(app, Invitation)
    assert invitation.accepted_at
    assert audit_actions(app) == [
        ("invitation.sent", "buyer"),
        ("invitation.accepted", f"invitation:{invitation.id}"),
        ("registration.completed", f"invitation:{invitation.id}"),
    ]


@on_sqlite
def test_colleague_sees_the_purchasers_free_trial(app: Flask, client: FlaskClient, sandbox: Sandbox) -> None:
    client.post("/", data={TOKEN_FIELD: factories.token(sandbox), "x-amzn-marketplace-offer-type": "free-trial"})
    _, link = create_invitation(app)
    colleague = app.test_client()

    accept_invitation(colleague, link)

    assert "Free trial" in colleague.get("/signup").text


def test_concurrent_accepts_admit_one_browser(app: Flask, colleague_client: FlaskClient, invitation_link: str) -> None:
    browsers = [app.test_client() for _ in range(6)]
    forms = [{"csrf_token": csrf_token(browser.get(invitation_link).text)} for browser in browsers]

    with ThreadPoolExecutor(6) as threads:
        responses = list(threads.map(lambda browser, form: browser.post(invitation_link, data=form), browsers, forms))

    assert sorted(response.status_code for response in responses) == [303, 410, 410, 410, 410, 410]
    assert [action for action, _ in audit_actions(app)].count("invitation.accepted") == 1
    forms_shown = [browser.get("/signup").status_code for browser in browsers]
    assert sorted(forms_shown) == [200, 403, 403, 403, 403, 403]


@on_sqlite
def test_second_accept_in_same_browser_returns_to_form(
    app: Flask, colleague_client: FlaskClient, invitation_link: str
) -> None:
    form = {"csrf_token": csrf_token(colleague_client.get(invitation_link).text)}
    colleague_client.post(invitation_link, data=form)

    shown = colleague_client.get(invitation_link)
    again = colleague_client.post(invitation_link, data=form)

    assert (shown.status_code, shown.location) == (303, "/signup")
    assert (again.status_code, again.location) == (303, "/signup")
    assert [action for action, _ in audit_actions(app)] == ["invitation.sent", "invitation.accepted"]


@on_sqlite
def test_foreign_page_cannot_accept_for_a_browser(
    app: Flask, colleague_client: FlaskClient, invitation_link: str
) -> None:
    attacker = app.test_client()
    attackers_form = {"csrf_token": csrf_token(attacker.get(invitation_link).text)}

    without_form, with_attackers_form = (
        colleague_client.post(invitation_link),
        colleague_client.post(invitation_link, data=attackers_form),
    )

    assert [without_form.status_code, with_attackers_form.status_code] == [422, 422]
    assert "Please try again" in without_form.text
    assert colleague_client.get("/signup").status_code == 403
    assert [invitation.accepted_at for invitation in all_rows(app, Invitation)] == [None]


@on_sqlite
def test_accepting_clears_the_previous_session(
    app: Flask, colleague_client: FlaskClient, invitation_link: str, sandbox: Sandbox
) -> None:
    colleague_client.post("/", data={TOKEN_FIELD: factories.token(sandbox, account_id="999999999999")})
    with colleague_client.session_transaction() as session:
        session["planted"] = "by an attacker"
    before = session_of(colleague_client)

    accept_invitation(colleague_client, invitation_link)

    assert "•••• •••• 8901" in colleague_client.get("/signup").text
    assert session_of(colleague_client) != before
    with colleague_client.session_transaction() as session:
        assert "planted" not in session


def test_late_colleague_sees_registration_and_cannot_change_it(
    app: Flask, buyer_client: FlaskClient, colleague_client: FlaskClient, invitation_link: str
) -> None:
    register(buyer_client, **ANSWERS)

    accept_invitation(colleague_client, invitation_link)
    form = colleague_client.get("/signup")
    welcome = visible_text(colleague_client.get("/welcome").text)

    assert form.location == "/welcome"
    assert "a•••@gmail.com" in welcome
    assert "Ada" not in welcome
    assert [registration.full_name for registration in all_rows(app, Registration)] == ["Ada Lovelace"]


@on_sqlite
def test_purchaser_sees_colleagues_registration_masked(
    buyer_client: FlaskClient, colleague_client: FlaskClient, invitation_link: str
) -> None:
    accept_invitation(colleague_client, invitation_link)
    register(colleague_client, **COLLEAGUE_ANSWERS)

    page = visible_text(buyer_client.get("/welcome").text)

    assert "g•••@gmail.com" in page
    assert "Hopper" not in page


def test_invitation_works_after_subscription_merge(client: FlaskClient, sandbox: Sandbox) -> None:
    app = client.application
    buyer = RegisteredBuyer(client, sandbox.marketplace.buy(factories.order()))
    buyer.receive_event(LICENSE_UPDATED, agreement="agmt-before", license="l-before")
    client.post("/", data={TOKEN_FIELD: sandbox.marketplace.mint_token(buyer.purchase)})
    landed_id = subscription_of(client)
    _, link = create_invitation(app, landed_id)
    buyer.receive_event(AGREEMENT_CREATED, previous="agmt-before")
    colleague = app.test_client()

    accept_invitation(colleague, link)
    register(colleague, **COLLEAGUE_ANSWERS)

    [subscription], [registration] = all_rows(app, Subscription), all_rows(app, Registration)
    assert subscription.id != landed_id
    assert registration.subscription_id == subscription.id


def test_colleague_stays_audit_actor_after_subscription_merge(client: FlaskClient, sandbox: Sandbox) -> None:
    app = client.application
    buyer = RegisteredBuyer(client, sandbox.marketplace.buy(factories.order()))
    buyer.receive_event(LICENSE_UPDATED, agreement="agmt-before", license="l-before")
    client.post("/", data={TOKEN_FIELD: sandbox.marketplace.mint_token(buyer.purchase)})
    invitation_id, link = create_invitation(app, subscription_of(client))
    accept_invitation(client, link)
    buyer.receive_event(AGREEMENT_CREATED, previous="agmt-before")

    client.get("/invite")
    client.get("/welcome")
    register(client, **COLLEAGUE_ANSWERS)

    assert audit_actions(app)[-1] == ("registration.completed", f"invitation:{invitation_id}")
