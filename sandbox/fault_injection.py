"""What every call to AWS Marketplace meets first: who calls, whether they may, and whether AWS works."""

from sandbox import aws_errors
from sandbox.marketplace import Marketplace


def apply(marketplace: Marketplace, operation: str) -> None:
    """Let a call through, after as long as a slow AWS takes.

    Raises:
        Refusal: as a fault that is switched on has it.
    """
    marketplace.wait_if_slow()
    faults = marketplace.faults
    if faults.credentials_unknown:
        raise aws_errors.UnrecognizedClient
    if faults.credentials_expired:
        raise aws_errors.ExpiredCredentials
    if faults.access_denied:
        raise aws_errors.AccessDenied(operation)
    if faults.api_disabled and operation == "ResolveCustomer":
        raise aws_errors.DisabledApi
    if faults.aws_down:
        raise aws_errors.InternalServiceError
    if marketplace.consume_throttle():
        raise aws_errors.Throttling
