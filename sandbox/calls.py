"""What every call to AWS Marketplace meets first: who calls, whether they may, and whether AWS works."""

from sandbox import refusals
from sandbox.world import World


def admit(world: World, operation: str) -> None:
    """Let a call through, after as long as a slow AWS takes.

    Raises:
        Refusal: as a fault that is switched on has it.
    """
    world.linger()
    faults = world.faults
    if faults.credentials_unknown:
        raise refusals.UnrecognizedClient
    if faults.credentials_expired:
        raise refusals.ExpiredCredentials
    if faults.access_denied:
        raise refusals.AccessDenied(operation)
    if faults.api_disabled and operation == "ResolveCustomer":
        raise refusals.DisabledApi
    if faults.aws_down:
        raise refusals.InternalServiceError
    if world.throttles():
        raise refusals.Throttling
