"""ResolveCustomer as boto3 sees it, where something is wrong."""

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

Refusal = tuple[str, int, str]

ORDER = Order(product_code="insights1example", account_id="111122223333")
INVALID = ("InvalidTokenException", 400, "Registration token is invalid")
EXPIRED = ("ExpiredTokenException", 400, "Registration token is expired")
THROTTLED = ("ThrottlingException", 400, "Rate exceeded")


def refusal(metering: Any, token: str) -> Refusal:
    with pytest.raises(ClientError) as caught:
        metering.resolve_customer(RegistrationToken=token)
    error, metadata = caught.value.response["Error"], caught.value.response["ResponseMetadata"]
    return error["Code"], metadata["HTTPStatusCode"], error["Message"]


@pytest.fixture
def token(sandbox: Sandbox) -> str:
    """A registration token that is good."""
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
def test_a_fault_is_answered_as_aws_answers_it(
    sandbox: Sandbox, metering_client: "MarketplaceMeteringClient", token: str, faults: Faults, expected: Refusal
) -> None:
    sandbox.marketplace.faults = faults

    refused = refusal(metering_client, token)

    assert refused == expected


def test_access_denied_names_the_action_that_the_policy_lacks(
    sandbox: Sandbox, metering_client: "MarketplaceMeteringClient", token: str
) -> None:
    sandbox.marketplace.faults = Faults(access_denied=True)

    code, status, message = refusal(metering_client, token)

    assert (code, status) == ("AccessDeniedException", 403)
    assert "is not authorized to perform: aws-marketplace:ResolveCustomer" in message


def test_the_errors_that_aws_models_are_exceptions_of_the_client(
    sandbox: Sandbox, metering_client: "MarketplaceMeteringClient", token: str
) -> None:
    sandbox.marketplace.faults = Faults(api_disabled=True)

    with pytest.raises(metering_client.exceptions.DisabledApiException) as caught:
        metering_client.resolve_customer(RegistrationToken=token)

    assert "The API is disabled in the Region." in str(caught.value)


@pytest.mark.parametrize("unknown", ["", "garbage", "AAAA" * 46])
def test_a_token_that_was_never_minted_is_invalid(metering_client: "MarketplaceMeteringClient", unknown: str) -> None:
    refused = refusal(metering_client, unknown)

    assert refused == INVALID


@pytest.mark.parametrize(("character", "became"), [("+", " "), ("/", "_"), ("=", ""), ("==", "==\n")])
def test_a_token_that_was_spoilt_on_the_way_is_invalid(
    metering_client: "MarketplaceMeteringClient", token: str, character: str, became: str
) -> None:
    spoilt = token.replace(character, became)

    refused = refusal(metering_client, spoilt)

    assert refused == INVALID


def test_a_token_of_a_forgotten_purchase_is_invalid(
    sandbox: Sandbox, metering_client: "MarketplaceMeteringClient", token: str
) -> None:
    sandbox.reset()

    refused = refusal(metering_client, token)

    assert refused == INVALID


def test_a_token_expires_after_four_hours(metering_client: "MarketplaceMeteringClient", token: str) -> None:
    later = datetime.now(UTC) + timedelta(hours=4, seconds=1)

    with time_machine.travel(later):
        refused = refusal(metering_client, token)

    assert refused == EXPIRED


def test_a_token_can_have_expired_when_it_is_minted(
    sandbox: Sandbox, metering_client: "MarketplaceMeteringClient"
) -> None:
    token = sandbox.marketplace.mint_token(sandbox.marketplace.buy(ORDER), timedelta(0))

    refused = refusal(metering_client, token)

    assert refused == EXPIRED


def test_only_the_account_that_published_the_product_can_resolve(create_client: CreateClient, token: str) -> None:
    role = "arn:aws:iam::999988887777:role/somebody"
    assumed = create_client("sts").assume_role(RoleArn=role, RoleSessionName="foyer")

    refused = refusal(create_client("meteringmarketplace", **session_credentials(assumed)), token)

    assert refused == INVALID


def test_throttling_stops_after_as_many_calls_as_were_asked_for(
    sandbox: Sandbox, metering_client: "MarketplaceMeteringClient", token: str
) -> None:
    sandbox.marketplace.faults = Faults(throttled=2)

    refused = [refusal(metering_client, token), refusal(metering_client, token)]
    customer = metering_client.resolve_customer(RegistrationToken=token)

    assert refused == [THROTTLED, THROTTLED]
    assert customer["CustomerAWSAccountId"] == "111122223333"


def test_the_standard_retries_get_through_throttling(sandbox: Sandbox, create_client: CreateClient, token: str) -> None:
    sandbox.marketplace.faults = Faults(throttled=1)

    customer = create_client("meteringmarketplace", attempts=3).resolve_customer(RegistrationToken=token)

    assert customer["ResponseMetadata"]["RetryAttempts"] == 1


@pytest.mark.parametrize(
    ("faults", "spoilt"),
    [
        (Faults(other_product=True), {"ProductCode": "somebodyelses9example"}),
        (Faults(no_license_arn=True), {"LicenseArn": None}),
        (Faults(no_customer=True), {"CustomerAWSAccountId": None, "CustomerIdentifier": None}),
    ],
)
def test_an_answer_can_be_spoilt(
    sandbox: Sandbox,
    metering_client: "MarketplaceMeteringClient",
    token: str,
    faults: Faults,
    spoilt: dict[str, str | None],
) -> None:
    whole = metering_client.resolve_customer(RegistrationToken=token)
    sandbox.marketplace.faults = faults

    answer = metering_client.resolve_customer(RegistrationToken=token)

    assert {name: answer.get(name) for name in spoilt} == spoilt
    assert answer.keys() - {"ResponseMetadata"} == {
        name for name in whole if name != "ResponseMetadata" and spoilt.get(name, "kept")
    }


def test_a_slow_aws_answers_at_once_when_the_fault_is_switched_off(
    sandbox: Sandbox, metering_client: "MarketplaceMeteringClient", token: str
) -> None:
    sandbox.marketplace.faults = Faults(slow=60)

    with ThreadPoolExecutor() as pool:
        call = pool.submit(metering_client.resolve_customer, RegistrationToken=token)
        with pytest.raises(TimeoutError):
            call.result(0.2)
        sandbox.marketplace.faults = Faults()
        customer = call.result(5)

    assert customer["CustomerAWSAccountId"] == "111122223333"
