"""The pretend BatchMeterUsage, without HTTP.

https://docs.aws.amazon.com/marketplace/latest/APIReference/API_marketplace-metering_BatchMeterUsage.html
"""

import json
import re
from typing import Any

from sandbox import fault_injection
from sandbox.aws_errors import AwsError, InvalidLicense, InvalidProductCode, InvalidUsageDimension
from sandbox.marketplace import Marketplace
from sandbox.metering import allocations, identities, requests, times
from sandbox.metering.identities import Identity
from sandbox.metering.ledger import Metered
from sandbox.metering.requests import WireRecord, WireRequest
from sandbox.metering.usage import MeteringCall
from sandbox.seller_account import REGION, SELLER_ACCOUNT_ID

# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-authentication-methods.html
SIGNED_REGION = re.compile(r"Credential=[^/,]+/\d+/([a-z0-9-]+)/")


def answer(marketplace: Marketplace, body: bytes, authorization: str, caller_account_id: str) -> MeteringCall:
    """Serve one call: note it, and return it with its answer."""
    region = match[1] if (match := SIGNED_REGION.search(authorization)) else REGION
    try:
        status, error, response = 200, None, batch_meter_usage(marketplace, body, region, caller_account_id)
    except AwsError as refusal:
        status, error = refusal.status, refusal.code
        response = {"__type": refusal.code, "message": refusal.message}
    marketplace.save()
    is_lost = error is None and marketplace.current_faults.consume("lost_answers")
    received_at = marketplace.clock.now()
    call = MeteringCall(received_at, region, _decode(body), status, response, error, is_lost)
    marketplace.usage.calls.append(call)
    return call


def batch_meter_usage(marketplace: Marketplace, body: bytes, region: str, caller_account_id: str) -> dict[str, Any]:
    """Bill the records of a call in a Region, and return the response to a caller from that AWS account.

    Raises:
        AwsError: a record breaks a rule, or a fault is on; nothing is billed.
    """
    fault_injection.apply(marketplace, "BatchMeterUsage")
    fault_injection.apply_metering(marketplace)
    request = requests.parse(body)
    metered = _check(marketplace, request, caller_account_id)
    unprocessed, processed = _split(marketplace, metered)
    faults, now = marketplace.faults, marketplace.clock.now()
    if faults.not_subscribed:
        results = [{"UsageRecord": item.record.to_aws(), "Status": "CustomerNotSubscribed"} for item in processed]
    else:
        ledger, repeat_is_duplicate = marketplace.usage.ledger, faults.repeat_is_duplicate
        results = [ledger.book(item, region, now, repeat_is_duplicate=repeat_is_duplicate) for item in processed]
    # AWS promises no order: a seller who relies on that of the request finds out here.
    return {"Results": results[::-1], "UnprocessedRecords": [item.record.to_aws() for item in unprocessed]}


def _check(marketplace: Marketplace, request: WireRequest, caller_account_id: str) -> list[Metered]:
    """Return the records; each error is of the whole call."""
    if caller_account_id != SELLER_ACCOUNT_ID:
        refusal = InvalidLicense if request.ProductCode is None else InvalidProductCode
        raise refusal("The caller is not the account that published the product")
    found = identities.identify(request, marketplace.usage.licenses, set(marketplace.products))
    checked = []
    now = marketplace.clock.now()
    for record, identity in zip(request.UsageRecords, found, strict=True):
        _check_dimension(marketplace, record, identity)
        at = times.read(record.Timestamp, now)
        times.check_period(identity, at)
        allocations.check(record)
        checked.append(Metered(record, identity, at))
    return checked


def _check_dimension(marketplace: Marketplace, record: WireRecord, identity: Identity) -> None:
    metered = [dimension.key for dimension in marketplace.dimensions[identity.product_code] if dimension.is_metered]
    if record.Dimension not in metered:
        possible = ", ".join(metered) or "none"
        raise InvalidUsageDimension(
            f"{record.Dimension} is not a dimension of {identity.product_code} that is ExternallyMetered: {possible}"
        )


def _split(marketplace: Marketplace, metered: list[Metered]) -> tuple[list[Metered], list[Metered]]:
    """Return the records that AWS does not process, and those that it does."""
    if marketplace.current_faults.consume("unprocessed_calls"):
        return metered, []
    count = marketplace.current_faults.consume_up_to("unprocessed_records", len(metered))
    return metered[:count], metered[count:]


def _decode(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None
