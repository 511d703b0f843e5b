"""The landing, from the browser's POST to the form, with the sandbox's AWS over HTTP."""

import re
from urllib.parse import quote

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.models import Registration, Subscription
from sandbox.server import Sandbox
from tests.support import factories
from tests.support.factories import PRODUCT_CODE, TOKEN_FIELD
from tests.support.stored_rows import all_rows


def test_landing_page_explains_where_to_start(client: FlaskClient) -> None:
    page = client.get("/")
    head = client.head("/")

    assert page.status_code == head.status_code == 200
    assert "Manage subscriptions" in page.text
    assert "Set up your account" in page.text
    assert "https://app.acme.example/login" in page.text
    assert "help@acme.example" in page.text
    assert not head.data


@pytest.mark.parametrize("origin", ["https://aws.amazon.com", "null", None])
def test_new_purchase_is_stored_and_redirected_to_form(
    app: Flask, client: FlaskClient, sandbox: Sandbox, origin: str | None
) -> None:
    token = factories.token(sandbox, account_id="012345678901")

    response = client.post("/", data={TOKEN_FIELD: token}, headers={"Origin": origin} if origin else {})

    assert response.status_code == 303
    assert response.location == "/signup"
    [subscription] = all_rows(app, Subscription)
    assert subscription.product_code == PRODUCT_CODE
    assert subscription.customer_aws_account_id == "012345678901"
    assert str(subscription.license_arn).endswith(f":{subscription.purchase_key}")
    assert subscription.agreement_id
    assert subscription.status == "pending"


def test_session_has_customer_and_never_the_token(app: Flask, client: FlaskClient, sandbox: Sandbox) -> None:
    token = factories.token(sandbox, account_id="012345678901", free_trial=True)

    response = client.post("/", data={TOKEN_FIELD: token, "x-amzn-marketplace-offer-type": "free-trial"})

    [subscription] = all_rows(app, Subscription)
    with client.session_transaction() as session:
        assert re.fullmatch("[0-9a-f]{32}", session["Browser"])
        assert {name: session[name] for name in session if name[0].isupper() and name != "Browser"} == {
            "CustomerIdentifier": None,
            "ProductCode": PRODUCT_CODE,
            "CustomerAWSAccountId": "012345678901",
            "LicenseArn": subscription.license_arn,
            "AgreementId": subscription.agreement_id,
            "OfferType": "free-trial",
            "SubscriptionId": str(subscription.id),
        }
        assert token not in repr(dict(session))
    assert token not in str(response.headers)


def test_session_cookie_is_lax_and_http_only(client: FlaskClient, sandbox: Sandbox) -> None:
    response = client.post("/", data={TOKEN_FIELD: factories.token(sandbox)})

    cookie = response.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Path=/" in cookie


def test_multipart_token_is_accepted(client: FlaskClient, sandbox: Sandbox) -> None:
    token = factories.token(sandbox)

    response = client.post("/", data={TOKEN_FIELD: token}, content_type="multipart/form-data")

    assert response.location == "/signup"


def test_spaces_in_token_become_plus_signs(client: FlaskClient, sandbox: Sandbox) -> None:
    token = factories.token(sandbox)
    assert "+" in token

    raw = f"{TOKEN_FIELD}={quote(token, safe='+/=')}"
    response = client.post("/", data=raw, content_type="application/x-www-form-urlencoded")

    assert response.location == "/signup"


def test_other_marketplace_fields_are_stored_as_hints(app: Flask, client: FlaskClient, sandbox: Sandbox) -> None:
    fields = {
        TOKEN_FIELD: factories.token(sandbox),
        "x-amzn-marketplace-agreement-id": "agmt-forged",
        "x-amzn-marketplace-product-id": "prod-forged\x00" + "x" * 1000,
        "unrelated": "ignored",
    }

    client.post("/", data=fields)

    [subscription] = all_rows(app, Subscription)
    assert subscription.hints == {"agreement-id": "agmt-forged", "product-id": "prod-forged" + "x" * 52}
    assert subscription.agreement_id != "agmt-forged"
    assert subscription.product_code == PRODUCT_CODE


def test_multipart_part_without_name_is_ignored(client: FlaskClient, sandbox: Sandbox) -> None:
    parts = [f'Content-Disposition: form-data; name="{TOKEN_FIELD}"\r\n\r\n{factories.token(sandbox)}']
    parts.append("Content-Disposition: form-data\r\n\r\nunnamed")
    body = "".join(f"--edge\r\n{part}\r\n" for part in parts) + "--edge--\r\n"

    response = client.post("/", data=body, content_type="multipart/form-data; boundary=edge")

    assert response.location == "/signup"


def test_free_trial_is_stored_and_shown(app: Flask, client: FlaskClient, sandbox: Sandbox) -> None:
    fields = {TOKEN_FIELD: factories.token(sandbox, free_trial=True), "x-amzn-marketplace-offer-type": "free-trial"}

    client.post("/", data=fields)

    [subscription] = all_rows(app, Subscription)
    assert subscription.offer_type == "free-trial"
    assert "Free trial" in client.get("/signup").text


def test_old_listing_is_keyed_by_customer_identifier(app: Flask, client: FlaskClient, sandbox: Sandbox) -> None:
    token = factories.token(sandbox, style="old")

    response = client.post("/", data={TOKEN_FIELD: token})

    assert response.location == "/signup"
    [subscription] = all_rows(app, Subscription)
    assert subscription.license_arn is None
    assert subscription.customer_identifier
    assert subscription.purchase_key == f"{PRODUCT_CODE}/{subscription.customer_identifier}"


def test_purchase_without_license_is_keyed_by_agreement(app: Flask, client: FlaskClient, sandbox: Sandbox) -> None:
    sandbox.marketplace.change_faults(no_license_arn=True)

    response = client.post("/", data={TOKEN_FIELD: factories.token(sandbox, account_id="012345678901")})

    assert response.location == "/signup"
    [subscription] = all_rows(app, Subscription)
    assert subscription.purchase_key == f"{PRODUCT_CODE}/012345678901/{subscription.agreement_id}"


def test_purchases_without_licenses_differ_by_agreement(app: Flask, client: FlaskClient, sandbox: Sandbox) -> None:
    sandbox.marketplace.change_faults(no_license_arn=True)

    for _ in range(2):
        client.post("/", data={TOKEN_FIELD: factories.token(sandbox, account_id="012345678901")})

    assert len({subscription.agreement_id for subscription in all_rows(app, Subscription)}) == 2


def test_unknown_product_stores_nothing(app: Flask, client: FlaskClient, sandbox: Sandbox) -> None:
    token = factories.token(sandbox, product_code=factories.OTHER_PRODUCT_CODE)

    response = client.post("/", data={TOKEN_FIELD: token})

    assert response.status_code == 404
    assert all_rows(app, Subscription) == []
    assert all_rows(app, Registration) == []
