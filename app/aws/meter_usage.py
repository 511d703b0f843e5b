"""Calls BatchMeterUsage: bills hours of usage.

Follows https://docs.aws.amazon.com/marketplace/latest/APIReference/API_marketplace-metering_BatchMeterUsage.html
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, cast

from botocore.exceptions import ClientError

from app.aws import clients
from app.aws.clients import CallTimeouts
from app.aws.errors import from_client_error
from app.errors import ApiDisabled, CredentialsRefused, FoyerError, PermissionDenied, Throttled

# No retries of botocore's: each call is journaled before it is made.
TIMEOUTS = CallTimeouts(3, 20)
MAX_RECORDS = 25
MAX_BODY_BYTES = 1_000_000
# Where every record of a call is refused for one of these, it is the account or the product code that is wrong.
IDENTITY_CODES = {"InvalidLicenseException", "InvalidProductCodeException", "InvalidCustomerIdentifierException"}
# One of the records is at fault, and none was processed.
RECORD_CODES = {
    *IDENTITY_CODES,
    "InvalidTagException",
    "InvalidUsageAllocationsException",
    "InvalidUsageDimensionException",
    "TimestampOutOfBoundsException",
    "ValidationException",
}
# AWS refuses a call for one of these before it looks at what the call says.
CALLER_ERRORS = (ApiDisabled, CredentialsRefused, PermissionDenied, Throttled)
SUCCESS, NOT_SUBSCRIBED, DUPLICATE = "Success", "CustomerNotSubscribed", "DuplicateRecord"
# Our word for a record that AWS did not process, and that is to be sent again.
UNPROCESSED = "Unprocessed"
# What tells a record from the others of its call: whose it is, its dimension, and its time in Unix seconds.
RecordKey = tuple[str, str, int]


class RecordsRefused(FoyerError):
    """AWS refused the whole call for one of its records, and processed none; `code` is AWS's."""


@dataclass(frozen=True)
class Allocation:
    """A part of a record by its tags; the part without tags has none. `quantity` is a decimal number as text."""

    quantity: str
    tags: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class UsageRecord:
    """One record: with a license's ARN, or for the product code of the call. `quantity` is a decimal number as text."""

    timestamp: datetime
    dimension: str
    quantity: str
    license_arn: str | None
    customer_aws_account_id: str | None
    customer_identifier: str | None
    allocations: tuple[Allocation, ...] = ()

    @property
    def key(self) -> RecordKey:
        """What tells the record from the others, in the request as in the answer."""
        customer = self.license_arn or self.customer_identifier or self.customer_aws_account_id or ""
        return customer, self.dimension, int(self.timestamp.timestamp())


@dataclass(frozen=True)
class Access:
    """Where calls go, and how many seconds this machine's clock is ahead of AWS's; None if AWS did not say its time."""

    url: str
    seconds_ahead: float | None


@dataclass(frozen=True)
class RecordResult:
    """AWS's verdict on a record, and its id."""

    status: str
    metering_record_id: str | None


def build_parameters(product_code: str | None, records: Sequence[UsageRecord]) -> dict[str, Any]:
    """Return the parameters of the call, as JSON; `product_code` is for records without a license alone."""
    parameters: dict[str, Any] = {"UsageRecords": [_to_wire(record) for record in records]}
    return parameters | ({"ProductCode": product_code} if product_code else {})


def call(parameters: Mapping[str, Any]) -> dict[RecordKey, RecordResult]:
    """Make the call, and return the verdicts by the records' keys.

    Raises:
        RecordsRefused: one of the records is at fault, and none was processed.
        Throttled: none was processed.
        PermissionDenied, ApiDisabled, CredentialsRefused, SetupInvalid: the seller has to change the set-up.
        MarketplaceUnavailable: AWS may have processed any of them.
    """
    with clients.translate_errors():
        try:
            # botocore makes times of the whole seconds that are stored.
            response = clients.current().metering(TIMEOUTS).batch_meter_usage(**cast(Any, parameters))
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "")
            if code in RECORD_CODES:
                raise RecordsRefused(code) from error
            raise
    unprocessed = response.get("UnprocessedRecords", [])
    results = {_key_of(cast(Mapping[str, Any], record)): RecordResult(UNPROCESSED, None) for record in unprocessed}
    for result in response.get("Results", []):
        record = cast(Mapping[str, Any], result.get("UsageRecord") or {})
        record_id = result.get("MeteringRecordId") or None
        results[_key_of(record)] = RecordResult(str(result.get("Status", "")), record_id)
    return results


def check_access() -> Access:
    """Make a call without records, which bills nothing.

    AWS does not document what it answers: any answer but a refusal of the caller shows that the caller has permission.

    Raises:
        PermissionDenied, ApiDisabled, CredentialsRefused, SetupInvalid: the seller has to change the set-up.
        Throttled, MarketplaceUnavailable: AWS did not say.
    """
    with clients.translate_errors():
        client = clients.current().metering(clients.OPERATOR_TIMEOUTS)
        try:
            response: Mapping[str, Any] = client.batch_meter_usage(UsageRecords=[])
        except ClientError as error:
            is_refusal = isinstance(from_client_error(error), CALLER_ERRORS)
            response = cast(Mapping[str, Any], error.response)
            if is_refusal or response["ResponseMetadata"]["HTTPStatusCode"] >= 500:
                raise
    return Access(client.meta.endpoint_url, _seconds_ahead(response["ResponseMetadata"]["HTTPHeaders"]))


def _seconds_ahead(headers: Mapping[str, str]) -> float | None:
    try:
        return (datetime.now(UTC) - parsedate_to_datetime(headers["date"])).total_seconds()
    except (KeyError, ValueError, TypeError):
        return None


def _key_of(record: Mapping[str, Any]) -> RecordKey:
    customer = record.get("LicenseArn") or record.get("CustomerIdentifier") or record.get("CustomerAWSAccountId") or ""
    timestamp = record.get("Timestamp")
    return customer, record.get("Dimension", ""), int(timestamp.timestamp()) if timestamp else 0


def _to_wire(record: UsageRecord) -> dict[str, Any]:
    wire: dict[str, Any] = {
        "Timestamp": int(record.timestamp.astimezone(UTC).timestamp()),
        "Dimension": record.dimension,
        "QuantityAsDecimal": record.quantity,
    }
    if record.license_arn:
        wire |= {"LicenseArn": record.license_arn, "CustomerAWSAccountId": record.customer_aws_account_id}
    elif record.customer_identifier:
        wire["CustomerIdentifier"] = record.customer_identifier
    else:
        wire["CustomerAWSAccountId"] = record.customer_aws_account_id
    if record.allocations:
        wire["UsageAllocations"] = [_allocation_to_wire(part) for part in record.allocations]
    return {name: value for name, value in wire.items() if value is not None}


def _allocation_to_wire(part: Allocation) -> dict[str, Any]:
    tags = [{"Key": key, "Value": value} for key, value in part.tags]
    return {"AllocatedUsageQuantityAsDecimal": part.quantity} | ({"Tags": tags} if tags else {})
