"""The errors of GetEntitlements as boto3 raises them."""

from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from sandbox.faults import Faults
from sandbox.server import Sandbox
from tests.sandbox.conftest import CreateClient
from tests.sandbox.test_actions import CONTRACT
from tests.sandbox.test_get_entitlements import create_contract
from tests.sandbox.test_resolve_customer import session_credentials

if TYPE_CHECKING:
    from mypy_boto3_marketplace_entitlement import MarketplaceEntitlementServiceClient as Client


def error_of(entitlements: "Client", product: str = CONTRACT, **request: Any) -> tuple[str, int, str]:
    with pytest.raises(ClientError) as caught:
        entitlements.get_entitlements(ProductCode=product, **request)
    error, metadata = caught.value.response["Error"], caught.value.response["ResponseMetadata"]
    return error["Code"], metadata["HTTPStatusCode"], error["Message"]


@pytest.mark.parametrize(
    ("product", "request_fields", "message"),
    [
        ("nobodys", {}, "The product code is invalid: nobodys"),
        (CONTRACT, {"MaxResults": 26}, "MaxResults is invalid: 26. It is 1 to 25"),
        (CONTRACT, {"NextToken": "odd"}, "The NextToken is invalid"),
        (CONTRACT, {"NextToken": "MA=="}, "The NextToken is invalid"),
        (CONTRACT, {"Filter": {"ACCOUNT": ["044455556666"]}}, "The filter is invalid: ACCOUNT"),
        (CONTRACT, {"Filter": {"CUSTOMER_IDENTIFIER": ["x"], "CUSTOMER_AWS_ACCOUNT_ID": ["y"]}}, "used together"),
    ],
)
def test_invalid_request_is_an_invalid_parameter(
    entitlement_client: "Client", product: str, request_fields: dict[str, Any], message: str
) -> None:
    code, status, text = error_of(entitlement_client, product, **request_fields)

    assert (code, status) == ("InvalidParameterException", 400)
    assert message in text


def test_next_token_is_invalid_for_another_query(sandbox: Sandbox, entitlement_client: "Client") -> None:
    create_contract(sandbox, 26)
    token = entitlement_client.get_entitlements(ProductCode=CONTRACT)["NextToken"]

    code, _, message = error_of(entitlement_client, NextToken=token, Filter={"DIMENSION": ["dimension 1"]})

    assert (code, message) == ("InvalidParameterException", "The NextToken is invalid")


@pytest.mark.parametrize(
    ("faults", "code", "status"),
    [
        (Faults(throttled=1), "ThrottlingException", 400),
        (Faults(aws_down=True), "InternalServiceErrorException", 500),
        (Faults(access_denied=True), "AccessDeniedException", 403),
        (Faults(credentials_expired=True), "ExpiredTokenException", 403),
    ],
    ids=lambda value: "-".join(value.switched_on()) if isinstance(value, Faults) else "",
)
def test_faults_apply_to_get_entitlements(
    sandbox: Sandbox, entitlement_client: "Client", faults: Faults, code: str, status: int
) -> None:
    sandbox.marketplace.faults = faults

    error = error_of(entitlement_client)

    assert error[:2] == (code, status)
    assert "ResolveCustomer" not in error[2]


def test_only_the_publishing_account_can_get_entitlements(create_client: CreateClient) -> None:
    assumed = create_client("sts").assume_role(RoleArn="arn:aws:iam::999988887777:role/x", RoleSessionName="foyer")

    code, _, _ = error_of(create_client("marketplace-entitlement", **session_credentials(assumed)))

    assert code == "InvalidParameterException"
