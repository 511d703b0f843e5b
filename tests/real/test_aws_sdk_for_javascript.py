"""The AWS SDK for JavaScript, version 3, against the sandbox, as a product in Node uses it."""

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox.faults import Faults
from sandbox.metering.dimensions import METERED
from sandbox.server import Sandbox
from tests.real import packages, programs
from tests.support import contract_purchases
from tests.support.contract_purchases import MANY_ENTITLEMENTS
from tests.support.factories import PRODUCT_CODE

SCRIPT = Path(__file__).parent / "node" / "aws_sdk.cjs"
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "sandbox", "AWS_SECRET_ACCESS_KEY": "sandbox", "AWS_REGION": "us-east-1"}
Call = Callable[[str, str, dict[str, Any]], dict[str, Any]]


@pytest.fixture(scope="module")
def running_sandbox() -> Iterator[Sandbox]:
    with contract_purchases.serve_marketplace() as sandbox:
        yield sandbox


@pytest.fixture
def call(sandbox: Sandbox, tmp_path: Path) -> Call:
    """Call an operation of a client, with the sandbox as AWS; return the output, or the error."""
    node, folder = programs.path_of("node"), programs.folder_of(packages.AWS_SDK)
    environment = {"AWS_ENDPOINT_URL": sandbox.aws_url, "HOME": str(tmp_path), "NODE_PATH": f"{folder}/node_modules"}

    def run(client: str, command: str, request: dict[str, Any]) -> dict[str, Any]:
        call = json.dumps({"client": client, "command": command, "input": request})
        done = subprocess.run(
            [node, str(SCRIPT)],
            env={**CREDENTIALS, **environment},
            input=call,
            check=False,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        return dict(json.loads(done.stdout))

    return run


def test_sdk_for_javascript_resolves_a_customer(call: Call, sandbox: Sandbox) -> None:
    purchase = contract_purchases.buy(sandbox)

    answer = call("metering", "ResolveCustomer", {"RegistrationToken": sandbox.marketplace.mint_token(purchase)})

    assert (answer["ProductCode"], answer["LicenseArn"]) == (PRODUCT_CODE, purchase.license_arn)
    assert answer["CustomerAWSAccountId"] == purchase.account_id


@pytest.mark.parametrize(
    ("faults", "error_class", "status", "attempts"),
    [
        (Faults(), "InvalidTokenException", 400, 1),
        (Faults(expired=True), "ExpiredTokenException", 400, 1),
        (Faults(throttled=99), "ThrottlingException", 400, 3),
        (Faults(aws_down=True), "InternalServiceErrorException", 500, 3),
        (Faults(api_disabled=True), "DisabledApiException", 400, 1),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_sdk_for_javascript_raises_the_class_of_each_error(
    call: Call, sandbox: Sandbox, faults: Faults, error_class: str, status: int, attempts: int
) -> None:
    sandbox.marketplace.faults = faults

    error = call("metering", "ResolveCustomer", {"RegistrationToken": "no such token"})["error"]

    assert (error["class"], error["name"]) == (error_class, error_class)
    assert (error["status"], error["attempts"]) == (status, attempts)


def test_sdk_for_javascript_reads_both_pages_of_entitlements(call: Call, sandbox: Sandbox) -> None:
    purchase = contract_purchases.buy(sandbox)
    contract_purchases.act(sandbox, purchase, "confirm")
    contract_purchases.act(sandbox, purchase, "change_entitlements", entitlements=MANY_ENTITLEMENTS)
    request = {"ProductCode": PRODUCT_CODE, "Filter": {"LICENSE_ARN": [purchase.license_arn]}}

    first = call("entitlement", "GetEntitlements", request)
    second = call("entitlement", "GetEntitlements", {**request, "NextToken": first["NextToken"]})

    entitlements = first["Entitlements"] + second["Entitlements"]
    assert [entitlement["Value"]["IntegerValue"] for entitlement in entitlements] == list(range(30))
    assert {entitlement["LicenseArn"] for entitlement in entitlements} == {purchase.license_arn}


def test_sdk_for_javascript_receives_an_event(call: Call, sandbox: Sandbox) -> None:
    purchase = contract_purchases.buy(sandbox)

    [message] = call("sqs", "ReceiveMessage", {"QueueUrl": sandbox.queue_url})["Messages"]

    assert json.loads(message["Body"])["detail"]["agreement"]["id"] == purchase.agreement_id


@pytest.mark.parametrize("style", ["new", "old"])
def test_sdk_for_javascript_meters_usage(call: Call, sandbox: Sandbox, style: str) -> None:
    purchase = contract_purchases.buy(sandbox, style=style)
    contract_purchases.act(sandbox, purchase, "confirm")
    sandbox.marketplace.dimensions[PRODUCT_CODE] = METERED
    if style == "new":
        customer, product = {"CustomerAWSAccountId": purchase.account_id, "LicenseArn": purchase.license_arn}, {}
    else:
        customer, product = {"CustomerIdentifier": purchase.customer_identifier}, {"ProductCode": PRODUCT_CODE}
    record = {"Timestamp": int(time.time()), "Dimension": "gb_processed", "Quantity": 3, **customer}

    results = call("metering", "BatchMeterUsage", {"UsageRecords": [record], **product})["Results"]

    assert [result["Status"] for result in results] == ["Success"]
    assert list(sandbox.marketplace.usage.ledger.totals().values()) == [3]
