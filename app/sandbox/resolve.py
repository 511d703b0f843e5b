"""What the pretend ResolveCustomer says, before it becomes HTTP."""

from typing import Any

from app.sandbox import refusals
from app.sandbox.faults import Faults
from app.sandbox.world import World

# moto's account for every access key that it did not issue itself.
SELLER_ACCOUNT_ID = "123456789012"

# In AWS's order: who calls, whether they may, whether AWS works, and only then the token.
REFUSED: dict[str, type[refusals.Refusal]] = {
    "credentials_unknown": refusals.UnrecognizedClient,
    "credentials_expired": refusals.ExpiredCredentials,
    "access_denied": refusals.AccessDenied,
    "api_disabled": refusals.DisabledApi,
    "aws_down": refusals.InternalServiceError,
    "invalid": refusals.InvalidToken,
    "expired": refusals.ExpiredToken,
}


def resolve_customer(world: World, token: str, caller_account_id: str) -> dict[str, Any]:
    """Return ResolveCustomer's answer to a caller from an account.

    Raises:
        Refusal: as AWS refuses the call, or as a fault that is switched on has it.
    """
    world.linger()
    faults = world.faults
    for fault, refusal in REFUSED.items():
        if getattr(faults, fault):
            raise refusal
    if world.throttles():
        raise refusals.Throttling
    # Only the account that published the product can resolve.
    if caller_account_id != SELLER_ACCOUNT_ID:
        raise refusals.InvalidToken
    return _spoilt(world.redeem(token).answer(), faults)


def _spoilt(answer: dict[str, Any], faults: Faults) -> dict[str, Any]:
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
