"""What fails a whole call of BatchMeterUsage: none of its records is billed."""

import json
from datetime import timedelta
from typing import Any

import pytest

from sandbox.faults import Faults
from tests.sandbox.conftest import CreateClient
from tests.sandbox.metering.conftest import (
    BOTH,
    CONTRACT,
    NOW,
    USAGE,
    MakeRecord,
    Meter,
    by_account,
    by_identifier,
    record,
)
from tests.sandbox.test_resolve_customer import session_credentials

COUNTED = ("throttled", "metering_throttled", "metering_errors")
INVALID_ARN = "arn:aws:license-manager::294406891311:license:l-00000000000000000000000000000000"


@pytest.mark.parametrize("position", [0, 12, 24])
@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({"Dimension": "events"}, "InvalidUsageDimensionException"),
        ({"LicenseArn": INVALID_ARN}, "InvalidLicenseException"),
        ({"Timestamp": NOW - timedelta(hours=24)}, "TimestampOutOfBoundsException"),
        ({"UsageAllocations": [{"AllocatedUsageQuantityAsDecimal": "1"}]}, "InvalidUsageAllocationsException"),
    ],
)
def test_one_bad_record_fails_all_25(meter: Meter, members: dict[str, Any], code: str, position: int) -> None:
    purchase = meter.buy()
    meter.set_clock(NOW)
    records = [record(purchase, NOW - timedelta(minutes=number)) for number in range(25)]
    records[position] |= members

    assert meter.refusal(*records) == code


def test_26_records_are_refused(meter: Meter) -> None:
    purchase = meter.buy()
    meter.set_clock(NOW)

    assert meter.refusal(*[record(purchase)] * 26) == "ValidationException"
    assert meter.statuses(*[record(purchase)] * 25) == ["Success"] * 25


@pytest.mark.parametrize(("more", "status"), [(0, 413), (-1, 200)])
def test_request_of_one_megabyte_is_refused(meter: Meter, more: int, status: int) -> None:
    body = json.dumps({"UsageRecords": []})

    response = meter.post(body + " " * (1_000_000 - len(body) + more))

    assert response.status_code == status


def test_two_products_in_one_call_are_refused(meter: Meter) -> None:
    purchases = [meter.buy(USAGE, account_id="111122223333"), meter.buy(BOTH, account_id="111122223333")]
    meter.set_clock(NOW)

    assert meter.refusal(*map(record, purchases)) == "InvalidLicenseException"


@pytest.mark.parametrize(
    ("form", "members", "product_code", "code"),
    [
        (record, {}, USAGE, "InvalidProductCodeException"),
        (record, {"CustomerIdentifier": "x"}, None, "InvalidCustomerIdentifierException"),
        (record, {"CustomerAWSAccountId": None}, None, "InvalidCustomerIdentifierException"),
        (record, {"CustomerAWSAccountId": "abc"}, None, "InvalidCustomerIdentifierException"),
        (record, {"CustomerAWSAccountId": "999999999999"}, None, "InvalidLicenseException"),
        (record, {"LicenseArn": "foo"}, None, "InvalidLicenseException"),
        (by_account, {}, None, "InvalidProductCodeException"),
        (by_account, {}, "nope", "InvalidProductCodeException"),
        (by_account, {}, "", "InvalidProductCodeException"),
        (by_account, {"CustomerIdentifier": "x"}, USAGE, "InvalidCustomerIdentifierException"),
        (by_account, {"CustomerAWSAccountId": "abc"}, USAGE, "InvalidCustomerIdentifierException"),
        (by_identifier, {"CustomerIdentifier": ""}, USAGE, "InvalidCustomerIdentifierException"),
    ],
)
def test_record_that_does_not_name_one_customer_is_refused(
    meter: Meter, form: MakeRecord, members: dict[str, Any], product_code: str | None, code: str
) -> None:
    purchase = meter.buy()
    meter.set_clock(NOW)
    request = {} if product_code is None else {"ProductCode": product_code}

    assert meter.refusal(form(purchase, **members), **request) == code


@pytest.mark.parametrize(
    ("product_code", "dimension"), [(CONTRACT, "gb_processed"), (CONTRACT, "seats"), (BOTH, "included_gb")]
)
def test_dimension_that_is_not_metered_is_refused(meter: Meter, product_code: str, dimension: str) -> None:
    purchase = meter.buy(product_code)
    meter.set_clock(NOW)

    assert meter.refusal(record(purchase, Dimension=dimension)) == "InvalidUsageDimensionException"


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({"QuantityAsDecimal": "1", "Quantity": 1}, "ValidationException"),
        *(
            ({"QuantityAsDecimal": text}, "ValidationException")
            for text in ("", "-1", "01", "1e3", "1.1234567", "10000000000", "NaN", "1,5", " 1", "1_0", "+1", ".5", "٣")
        ),
        ({"QuantityAsDecimal": 1.5}, "SerializationException"),
        ({"QuantityAsDecimal": None, "Quantity": -1}, "ValidationException"),
        ({"QuantityAsDecimal": None, "Quantity": 2147483648}, "ValidationException"),
        ({"QuantityAsDecimal": None, "Quantity": 1.5}, "SerializationException"),
        ({"QuantityAsDecimal": None, "Quantity": "11"}, "SerializationException"),
        ({"QuantityAsDecimal": None, "Quantity": True}, "SerializationException"),
        ({"Timestamp": "2026-11-28T07:30:00Z"}, "SerializationException"),
        ({"Timestamp": 1795851000123}, "TimestampOutOfBoundsException"),
        ({"Timestamp": 1e300}, "TimestampOutOfBoundsException"),
        ({"Timestamp": 10**400}, "SerializationException"),
        ({"Timestamp": None}, "ValidationException"),
        ({"Dimension": ""}, "ValidationException"),
        ({"Dimension": "x" * 256}, "ValidationException"),
    ],
)
def test_record_of_another_form_is_refused(meter: Meter, members: dict[str, Any], code: str) -> None:
    purchase = meter.buy()
    meter.set_clock(NOW)
    sent = {**record(purchase), "Timestamp": (NOW - timedelta(hours=2)).timestamp(), **members}

    response = meter.post({"UsageRecords": [{name: value for name, value in sent.items() if value is not None}]})

    assert (response.status_code, response.json()["__type"]) == (400, code)
    assert meter.quantities() == []


@pytest.mark.parametrize("body", ["{]", "[]", "{}", '{"UsageRecords": {}}', "[" * 100_000, "NaN"])
def test_body_that_is_no_request_is_refused(meter: Meter, body: str) -> None:
    assert meter.post(body).json()["__type"] in ("SerializationException", "ValidationException")


def test_caller_from_another_account_is_refused(meter: Meter, create_client: CreateClient) -> None:
    purchase = meter.buy()
    meter.set_clock(NOW)
    role = create_client("sts").assume_role(RoleArn="arn:aws:iam::111122223333:role/other", RoleSessionName="other")
    client = create_client("meteringmarketplace", **session_credentials(role))

    with pytest.raises(client.exceptions.InvalidLicenseException):
        client.batch_meter_usage(UsageRecords=[record(purchase)])
    with pytest.raises(client.exceptions.InvalidProductCodeException):
        client.batch_meter_usage(UsageRecords=[by_account(purchase)], ProductCode=USAGE)


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ("aws_down", "InternalServiceErrorException"),
        ("access_denied", "AccessDeniedException"),
        ("credentials_expired", "ExpiredTokenException"),
        ("credentials_unknown", "UnrecognizedClientException"),
        ("throttled", "ThrottlingException"),
        ("metering_throttled", "ThrottlingException"),
        ("metering_errors", "InternalServiceErrorException"),
        ("metering_disabled", "DisabledApiException"),
    ],
)
def test_fault_fails_the_call_with_the_error_of_aws(meter: Meter, fault: str, code: str) -> None:
    purchase = meter.buy()
    meter.set_clock(NOW)
    meter.sandbox.marketplace.faults = Faults.model_validate({fault: 1 if fault in COUNTED else True})

    assert meter.refusal(record(purchase)) == code
    assert [call.error for call in meter.sandbox.marketplace.usage.calls] == [code]
