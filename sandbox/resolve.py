"""What the pretend ResolveCustomer says, before it becomes HTTP."""

from typing import Any

from sandbox import calls, refusals
from sandbox.faults import Faults
from sandbox.purchases import SELLER_ACCOUNT_ID
from sandbox.world import World


def resolve_customer(world: World, token: str, caller_account_id: str) -> dict[str, Any]:
    """Return ResolveCustomer's answer to a caller from an account.

    Raises:
        Refusal: as AWS refuses the call, or as a fault that is switched on has it.
    """
    calls.admit(world, "ResolveCustomer")
    faults = world.faults
    if faults.invalid:
        raise refusals.InvalidToken
    if faults.expired:
        raise refusals.ExpiredToken
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
