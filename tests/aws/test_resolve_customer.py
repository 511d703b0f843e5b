"""ResolveCustomer over real HTTP: every response that AWS can send, and none."""

import time
from dataclasses import replace

import pytest
from flask import Flask

from app import create_app, deadline
from app.aws import resolve_customer
from app.aws.customer import Customer
from app.errors import (
    ApiDisabled,
    CredentialsRefused,
    ExpiredToken,
    IncompleteAnswer,
    InvalidToken,
    MarketplaceUnavailable,
    PermissionDenied,
    Throttled,
)
from sandbox.purchases import Order
from sandbox.server import Sandbox
from tests.support import factories
from tests.support.databases import on_sqlite
from tests.support.factories import PRODUCT_CODE
from tests.support.scripted_aws import AwsResponse, ScriptedAws

pytestmark = on_sqlite


def test_new_style_purchase_has_account_license_and_agreement(app: Flask, sandbox: Sandbox) -> None:
    purchase = sandbox.marketplace.buy(Order(product_code=PRODUCT_CODE, account_id="012345678901"))

    with app.app_context():
        customer = resolve_customer.resolve(sandbox.marketplace.mint_token(purchase))

    assert customer.product_code == PRODUCT_CODE
    assert customer.customer_aws_account_id == "012345678901"
    assert customer.customer_identifier is None
    assert customer.license_arn == purchase.license_arn
    assert customer.agreement_id == purchase.agreement_id


def test_old_style_purchase_has_a_customer_identifier(app: Flask, sandbox: Sandbox) -> None:
    purchase = sandbox.marketplace.buy(Order(product_code=PRODUCT_CODE, style="old"))

    with app.app_context():
        customer = resolve_customer.resolve(sandbox.marketplace.mint_token(purchase))

    assert customer.customer_identifier == purchase.customer_identifier
    assert customer.license_arn is None
    assert customer.agreement_id is None


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("expired", ExpiredToken),
        ("invalid", InvalidToken),
        ("aws_down", MarketplaceUnavailable),
        ("api_disabled", ApiDisabled),
        ("access_denied", PermissionDenied),
        ("credentials_expired", CredentialsRefused),
        ("credentials_unknown", CredentialsRefused),
        ("no_customer", IncompleteAnswer),
    ],
)
def test_aws_error_raises_its_named_error(app: Flask, sandbox: Sandbox, fault: str, error: type[Exception]) -> None:
    sandbox.marketplace.change_faults(**{fault: True})

    with app.app_context(), pytest.raises(error):
        resolve_customer.resolve(factories.token(sandbox))


def test_throttled_call_is_retried(app: Flask, sandbox: Sandbox) -> None:
    sandbox.marketplace.change_faults(throttled=2)

    with app.app_context():
        customer = resolve_customer.resolve(factories.token(sandbox))

    assert customer.product_code == PRODUCT_CODE


def test_throttled_call_fails_after_three_attempts(app: Flask, sandbox: Sandbox) -> None:
    sandbox.marketplace.change_faults(throttled=100)

    with app.app_context(), pytest.raises(Throttled):
        resolve_customer.resolve(factories.token(sandbox))

    assert sandbox.marketplace.faults.throttled == 97


@pytest.mark.parametrize("code", ["InvalidTokenException", "ExpiredTokenException", "AccessDeniedException"])
def test_permanent_error_is_not_retried(environment: pytest.MonkeyPatch, code: str) -> None:
    with ScriptedAws([AwsResponse(400, {"__type": code, "message": "Registration token is bad"})]) as aws:
        environment.setenv("AWS_ENDPOINT_URL", aws.url)
        with factories.open_app(create_app()) as app, app.app_context(), pytest.raises(Exception, match=code):
            resolve_customer.resolve("token")

        assert aws.request_count == 1


def test_silent_aws_raises_unavailable_in_time(app: Flask, sandbox: Sandbox) -> None:
    sandbox.marketplace.change_faults(slow=60)
    started = time.monotonic()

    with app.app_context(), pytest.raises(MarketplaceUnavailable):
        resolve_customer.resolve(factories.token(sandbox))

    assert time.monotonic() - started < deadline.REQUEST_SECONDS
    sandbox.marketplace.change_faults(slow=0)


def test_refused_connection_raises_unavailable(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")

    with factories.open_app(create_app()) as app, app.app_context(), pytest.raises(MarketplaceUnavailable) as raised:
        resolve_customer.resolve("token")

    assert raised.value.code == "EndpointConnectionError"


def test_missing_credentials_raise_credentials_refused(environment: pytest.MonkeyPatch) -> None:
    environment.delenv("AWS_ACCESS_KEY_ID")
    environment.delenv("AWS_SECRET_ACCESS_KEY")
    environment.setenv("AWS_SHARED_CREDENTIALS_FILE", "nowhere")

    with factories.open_app(create_app()) as app, app.app_context(), pytest.raises(CredentialsRefused) as raised:
        resolve_customer.resolve("token")

    assert raised.value.code == "NoCredentialsError"


@pytest.mark.parametrize(
    ("status", "message", "error"),
    [
        (400, "Registration token is expired", ExpiredToken),
        (403, "The security token included in the request is expired", CredentialsRefused),
        (400, "The security token included in the request is expired", CredentialsRefused),
        (403, "Registration token is expired", ExpiredToken),
    ],
)
def test_expired_token_is_not_mistaken_for_expired_credentials(
    environment: pytest.MonkeyPatch, status: int, message: str, error: type[Exception]
) -> None:
    with ScriptedAws([AwsResponse(status, {"__type": "ExpiredTokenException", "message": message})]) as aws:
        environment.setenv("AWS_ENDPOINT_URL", aws.url)

        with factories.open_app(create_app()) as app, app.app_context(), pytest.raises(error):
            resolve_customer.resolve("token")


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [
        (403, "SomethingNew", PermissionDenied),
        (400, "SomethingNew", MarketplaceUnavailable),
        (503, "ServiceUnavailable", MarketplaceUnavailable),
        (403, "InvalidSignatureException", CredentialsRefused),
    ],
)
def test_unknown_error_code_goes_by_its_status(
    environment: pytest.MonkeyPatch, status: int, code: str, error: type[Exception]
) -> None:
    with ScriptedAws([AwsResponse(status, {"__type": code, "message": "?"})]) as aws:
        environment.setenv("AWS_ENDPOINT_URL", aws.url)

        with factories.open_app(create_app()) as app, app.app_context(), pytest.raises(error):
            resolve_customer.resolve("token")


def test_response_that_is_not_from_aws_is_incomplete(environment: pytest.MonkeyPatch) -> None:
    with ScriptedAws([AwsResponse(200, "<html>proxy log-in</html>")]) as aws:
        environment.setenv("AWS_ENDPOINT_URL", aws.url)

        with factories.open_app(create_app()) as app, app.app_context(), pytest.raises(IncompleteAnswer):
            resolve_customer.resolve("token")


@pytest.mark.parametrize(
    "response",
    [
        {},
        {"ProductCode": PRODUCT_CODE},
        {"ProductCode": PRODUCT_CODE, "CustomerAWSAccountId": "", "CustomerIdentifier": None},
        {"CustomerAWSAccountId": "012345678901"},
        {"CustomerAWSAccountId": "012345678901", "ProductCode": ""},
    ],
)
def test_response_without_product_or_customer_is_incomplete(database_url: str, response: dict[str, object]) -> None:
    with pytest.raises(IncompleteAnswer):
        resolve_customer.parse_customer(response)


@pytest.mark.parametrize("identifier", [{}, {"CustomerIdentifier": ""}, {"CustomerIdentifier": None}])
def test_missing_or_empty_identifier_is_none(database_url: str, identifier: dict[str, object]) -> None:
    response = {"ProductCode": PRODUCT_CODE, "CustomerAWSAccountId": "012345678901", **identifier}

    customer = resolve_customer.parse_customer(response)

    assert customer == replace(factories.customer(), license_arn=None, agreement_id=None)


def test_ids_in_a_response_are_stripped(database_url: str) -> None:
    response = {
        "ProductCode": f" {PRODUCT_CODE}",
        "CustomerAWSAccountId": "012345678901\n",
        "CustomerIdentifier": " ifAMPLE1234 ",
        "LicenseArn": " l-1\t",
        "Metadata": {"AgreementId": " agmt-a"},
    }

    customer = resolve_customer.parse_customer(response)

    assert customer == Customer(PRODUCT_CODE, "012345678901", "ifAMPLE1234", "l-1", "agmt-a")


def test_publishers_role_resolves_its_token(environment: pytest.MonkeyPatch, sandbox: Sandbox) -> None:
    token = factories.token(sandbox)
    environment.setenv("MARKETPLACE_ROLE_ARN", "arn:aws:iam::123456789012:role/publisher")
    environment.setenv("MARKETPLACE_ROLE_EXTERNAL_ID", "foyer-1")

    with factories.open_app(create_app()) as app, app.app_context():
        customer = resolve_customer.resolve(token)

    assert customer.product_code == PRODUCT_CODE


def test_role_in_another_account_resolves_no_token(environment: pytest.MonkeyPatch, sandbox: Sandbox) -> None:
    token = factories.token(sandbox)
    environment.setenv("MARKETPLACE_ROLE_ARN", "arn:aws:iam::999999999999:role/other")

    with factories.open_app(create_app()) as app, app.app_context(), pytest.raises(InvalidToken):
        resolve_customer.resolve(token)
