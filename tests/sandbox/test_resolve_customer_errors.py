"""The errors of ResolveCustomer as boto3 raises them, and the faults that change its response."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
import time_machine
from botocore.exceptions import ClientError

from sandbox.faults import Faults
from sandbox.purchases import Order
from sandbox.server import Sandbox
from tests.sandbox.conftest import CreateClient
from tests.sandbox.test_resolve_customer import session_credentials

if TYPE_CHECKING:
    from mypy_boto3_meteringmarketplace import MarketplaceMeteringClient

AwsErrorParts = tuple[str, int, str]

ORDER = Order(product_code="insights1example", account_id="111122223333")
INVALID = ("InvalidTokenException", 400, "Registration token is invalid")
EXPIRED = ("ExpiredTokenException", 400, "Registration token is expired")
THROTTLED = ("ThrottlingException", 400, "Rate exceeded")


def error_of(metering: Any, token: str) -> AwsErrorParts:
    with pytest.raises(ClientError) as caught:
        metering.resolve_customer(RegistrationToken=token)
    error, metadata = caught.value.response["Error"], caught.value.response["ResponseMetadata"]
    return error["Code"], metadata["HTTPStatusCode"], error["Message"]


@pytest.fixture
def token(sandbox: Sandbox) -> str:
    """A valid registration token."""
    return sandbox.marketplace.mint_token(sandbox.marketplace.buy(ORDER))


@pytest.mark.parametrize(
    ("faults", "expected"),
    [
        (Faults(invalid=True), INVALID),
        (Faults(expired=True), EXPIRED),
        (Faults(throttled=1), THROTTLED),
        (
            Faults(aws_down=True),
            ("InternalServiceErrorException", 500, "An internal error has occurred. Retry your request."),
        ),
        (Faults(api_disabled=True), ("DisabledApiException", 400, "The API is disabled in the Region.")),
        (
            Faults(credentials_expired=True),
            ("ExpiredTokenException", 403, "The security token included in the request is expired"),
        ),
        (
            Faults(credentials_unknown=True),
            ("UnrecognizedClientException", 403, "The security token included in the request is invalid."),
        ),
    ],
    ids=lambda value: "" if isinstance(value, tuple) else "-".join(value.switched_on()),
)
def test_fault_is_answered_with_the_error_of_aws(
    sandbox: Sandbox, metering_client: "MarketplaceMeteringClient", token: str, faults: Faults, expected: AwsErrorParts
) -> None:
    sandbox.marketplace.faults = faults

    error = error_of(metering_client, token)

    assert error == expected


def test_access_denied_names_the_missing_permission(
    sandbox: Sandbox, metering_client: "MarketplaceMeteringClient", token: str
) -> None:
    sandbox.marketplace.faults = Faults(access_denied=True)

    code, status, message = error_of(metering_client, token)

    assert (code, status) == ("AccessDeniedException", 403)
    assert "is not authorized to perform: aws-marketplace:ResolveCustomer" in message


def test_modelled_error_is_an_exception_of_the_client(
    sandbox: Sandbox, metering_client: "MarketplaceMeteringClient", token: str
) -> None:
    sandbox.marketplace.faults = Faults(api_disabled=True)

    with pytest.raises(metering_client.exceptions.DisabledApiException) as caught:
        metering_client.resolve_customer(RegistrationToken=token)

    assert "The API is disabled in the Region." in str(caught.value)


@pytest.mark.parametrize("unknown", ["", "garbage", "AAAA" * 46])
def test_unknown_token_is_invalid(metering_client: "MarketplaceMeteringClient", unknown: str) -> None:
    error = error_of(metering_client, unknown)

    assert error == INVALID


@pytest.mark.parametrize(("character", "replacement"), [("+", " "), ("/", "_"), ("=", ""), ("==", "==\n")])
def test_token_with_a_changed_character_is_invalid(
    metering_client: "MarketplaceMeteringClient", token: str, character: str, replacement: str
) -> None:
    changed = token.replace(character, replacement)

    error = error_of(metering_client, changed)

    assert error == INVALID


def test_token_minted_before_a_reset_is_invalid(
    sandbox: Sandbox, metering_client: "MarketplaceMeteringClient", token: str
) -> None:
    sandbox.reset()

    error = error_of(metering_client, token)

    assert error == INVALID


def test_token_expires_after_four_hours(metering_client: "MarketplaceMeteringClient", token: str) -> None:
    later = datetime.now(UTC) + timedelta(hours=4, seconds=1)

    with time_machine.travel(later):
        error = error_of(metering_client, token)

    assert error == EXPIRED


def test_token_with_zero_lifetime_is_expired(sandbox: Sandbox, metering_client: "MarketplaceMeteringClient") -> None:
    token = sandbox.marketplace.mint_token(sandbox.marketplace.buy(ORDER), timedelta(0))

    error = error_of(metering_client, token)

    assert error == EXPIRED


def test_only_the_publishing_account_can_resolve(create_client: CreateClient, token: str) -> None:
    role = "arn:aws:iam::999988887777:role/somebody"
    assumed = create_client("sts").assume_role(RoleArn=role, RoleSessionName="foyer")

    error = error_of(create_client("meteringmarketplace", **session_credentials(assumed)), token)

    assert error == INVALID


def test_throttling_stops_after_the_given_number_of_calls(
    sandbox: Sandbox, metering_client: "MarketplaceMeteringClient", token: str
) -> None:
    sandbox.marketplace.faults = Faults(throttled=2)

    error = [error_of(metering_client, token), error_of(metering_client, token)]
    customer = metering_client.resolve_customer(RegistrationToken=token)

    assert error == [THROTTLED, THROTTLED]
    assert customer["CustomerAWSAccountId"] == "111122223333"


def test_standard_retries_survive_one_throttled_call(sandbox: Sandbox, create_client: CreateClient, token: str) -> None:
    sandbox.marketplace.faults = Faults(throttled=1)

    customer = create_client("meteringmarketplace", attempts=3).resolve_customer(RegistrationToken=token)

    assert customer["ResponseMetadata"]["RetryAttempts"] == 1


@pytest.mark.parametrize(
    ("faults", "changed"),
    [
        (Faults(other_product=True), {"ProductCode": "somebodyelses9example"}),
        (Faults(no_license_arn=True), {"LicenseArn": None}),
        (Faults(no_customer=True), {"CustomerAWSAccountId": None, "CustomerIdentifier": None}),
    ],
)
def test_fault_changes_only_its_response_fields(
    sandbox: Sandbox,
    metering_client: "MarketplaceMeteringClient",
    token: str,
    faults: Faults,
    changed: dict[str, str | None],
) -> None:
    unchanged = metering_client.resolve_customer(RegistrationToken=token)
    sandbox.marketplace.faults = faults

    response = metering_client.resolve_customer(RegistrationToken=token)

    assert {name: response.get(name) for name in changed} == changed
    assert response.keys() - {"ResponseMetadata"} == {
        name for name in unchanged if name != "ResponseMetadata" and changed.get(name, "kept")
    }


def test_slow_call_returns_when_the_fault_is_switched_off(
    sandbox: Sandbox, metering_client: "MarketplaceMeteringClient", token: str
) -> None:
    sandbox.marketplace.faults = Faults(slow=60)

    with ThreadPoolExecutor() as pool:
        call = pool.submit(metering_client.resolve_customer, RegistrationToken=token)
        with pytest.raises(TimeoutError):
            call.result(0.2)
        sandbox.marketplace.faults = Faults()
        customer = call.result(30)

    assert customer["CustomerAWSAccountId"] == "111122223333"
