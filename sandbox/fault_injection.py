"""Applies the faults that concern every call to AWS Marketplace, before the operation itself runs."""

from sandbox import aws_errors
from sandbox.marketplace import Marketplace


def apply(marketplace: Marketplace, operation: str) -> None:
    """Count the call, wait if AWS is slow, then raise the error of the first fault that is on.

    Raises:
        AwsError: a fault that fails this operation is on.
    """
    marketplace.count_call(operation)
    marketplace.current_faults.wait_if_slow()
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
    if marketplace.current_faults.consume("throttled"):
        raise aws_errors.Throttling


def apply_metering(marketplace: Marketplace) -> None:
    """Raise the error of the first fault that is on for BatchMeterUsage alone.

    Raises:
        AwsError: such a fault is on.
    """
    faults = marketplace.faults
    if faults.metering_disabled:
        raise aws_errors.DisabledApi
    if marketplace.current_faults.consume("metering_errors"):
        raise aws_errors.InternalServiceError
    if marketplace.current_faults.consume("metering_throttled"):
        raise aws_errors.Throttling
    if marketplace.current_faults.consume_share(faults.metering_throttled_percent):
        raise aws_errors.Throttling
