"""What the pretend ResolveCustomer says, before it becomes HTTP."""

from typing import Any

from sandbox import aws_errors, fault_injection
from sandbox.faults import Faults
from sandbox.marketplace import Marketplace
from sandbox.purchases import SELLER_ACCOUNT_ID


def resolve_customer(marketplace: Marketplace, token: str, caller_account_id: str) -> dict[str, Any]:
    """Return ResolveCustomer's answer to a caller from an account.

    Raises:
        Refusal: as AWS refuses the call, or as a fault that is switched on has it.
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


def _apply_faults(answer: dict[str, Any], faults: Faults) -> dict[str, Any]:
    if faults.other_product:
        answer["ProductCode"] = "somebodyelses9example"
    if faults.no_license_arn:
        answer.pop("LicenseArn", None)
    if faults.no_customer_identifier and not answer.get("CustomerIdentifier"):
        answer.pop("CustomerIdentifier", None)
    if faults.no_customer:
        answer.pop("CustomerIdentifier", None)
        answer.pop("CustomerAWSAccountId", None)
    return answer
