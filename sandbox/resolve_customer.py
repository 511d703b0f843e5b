"""The pretend ResolveCustomer, without HTTP."""

from typing import Any

from sandbox import aws_errors, fault_injection
from sandbox.faults import Faults
from sandbox.marketplace import Marketplace
from sandbox.seller_account import SELLER_ACCOUNT_ID


def resolve_customer(marketplace: Marketplace, token: str, caller_account_id: str) -> dict[str, Any]:
    """Return the response to a caller from that AWS account.

    Raises:
        AwsError: the token is invalid or expired, or a fault is on.
    """
    fault_injection.apply(marketplace, "ResolveCustomer")
    faults = marketplace.faults
    if faults.invalid:
        raise aws_errors.InvalidToken
    if faults.expired:
        raise aws_errors.ExpiredToken
    # Only the account that published the product can resolve.
    if caller_account_id != SELLER_ACCOUNT_ID:
        raise aws_errors.InvalidToken
    return _apply_faults(marketplace.resolve_token(token).resolve_customer_answer(), faults)


def _apply_faults(response: dict[str, Any], faults: Faults) -> dict[str, Any]:
    if faults.other_product:
        response["ProductCode"] = "somebodyelses9example"
    if faults.no_license_arn:
        response.pop("LicenseArn", None)
    if faults.no_customer_identifier and not response.get("CustomerIdentifier"):
        response.pop("CustomerIdentifier", None)
    if faults.no_customer:
        response.pop("CustomerIdentifier", None)
        response.pop("CustomerAWSAccountId", None)
    return response
