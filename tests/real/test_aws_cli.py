"""AWS's own command line, version 1, against the sandbox: it has another botocore than Foyer has."""

import json
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sandbox.metering.dimensions import METERED
from sandbox.server import Sandbox
from tests.real import packages, programs
from tests.support import contract_purchases, factories
from tests.support.contract_purchases import MANY_ENTITLEMENTS
from tests.support.factories import PRODUCT_CODE
from tests.support.sandbox_api import call_api

CREDENTIALS = {"AWS_ACCESS_KEY_ID": "sandbox", "AWS_SECRET_ACCESS_KEY": "sandbox", "AWS_DEFAULT_REGION": "us-east-1"}
Aws = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def running_sandbox() -> Iterator[Sandbox]:
    with contract_purchases.serve_marketplace() as sandbox:
        yield sandbox


@pytest.fixture
def aws(sandbox: Sandbox, tmp_path: Path) -> Aws:
    """Run `aws` with these arguments and the sandbox as endpoint."""
    program = programs.folder_of(packages.AWS_CLI) / "bin" / "aws"

    def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
        command = [str(program), *arguments, "--endpoint-url", sandbox.aws_url, "--output", "json"]
        environment = {**CREDENTIALS, "HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)

    return run


def test_aws_cli_resolves_a_customer(aws: Aws, sandbox: Sandbox) -> None:
    purchase = sandbox.marketplace.buy(factories.order())
    token = sandbox.marketplace.mint_token(purchase)

    resolved = aws("meteringmarketplace", "resolve-customer", "--registration-token", token)
    refused = aws("meteringmarketplace", "resolve-customer", "--registration-token", "no such token")

    assert resolved.returncode == 0, resolved.stderr
    answer = json.loads(resolved.stdout)
    assert (answer["ProductCode"], answer["LicenseArn"]) == (PRODUCT_CODE, purchase.license_arn)
    assert answer["CustomerAWSAccountId"] == purchase.account_id
    assert refused.returncode == 255
    assert "(InvalidTokenException) when calling the ResolveCustomer operation" in refused.stderr


def test_aws_cli_reads_the_entitlements_of_a_license(aws: Aws, sandbox: Sandbox) -> None:
    purchase = contract_purchases.buy(sandbox)
    contract_purchases.act(sandbox, purchase, "confirm")
    contract_purchases.act(sandbox, purchase, "change_entitlements", entitlements=MANY_ENTITLEMENTS)
    filters = f"LICENSE_ARN={purchase.license_arn}"

    read = aws("marketplace-entitlement", "get-entitlements", "--product-code", PRODUCT_CODE, "--filter", filters)

    assert read.returncode == 0, read.stderr
    # The command reads all pages.
    entitlements = json.loads(read.stdout)["Entitlements"]
    assert [entitlement["Value"] for entitlement in entitlements] == [{"IntegerValue": n} for n in range(30)]


def test_aws_cli_receives_an_event(aws: Aws, sandbox: Sandbox) -> None:
    sandbox.marketplace.buy(factories.order())

    received = aws("sqs", "receive-message", "--queue-url", sandbox.queue_url)

    assert received.returncode == 0, received.stderr
    [message] = json.loads(received.stdout)["Messages"]
    assert json.loads(message["Body"])["detail-type"] == "Purchase Agreement Created - Proposer"


def test_aws_cli_sends_mail_to_the_inbox_by_the_older_api(aws: Aws, sandbox: Sandbox) -> None:
    addresses = ("--from", "seller@acme.example", "--to", "ada@gmail.com")

    sent = aws("ses", "send-email", *addresses, "--subject", "Grüße", "--text", "Hello")

    assert sent.returncode == 0, sent.stderr
    [mail] = call_api(sandbox, "GET", "/inbox").json()
    assert (mail["id"], mail["to"]) == (json.loads(sent.stdout)["MessageId"], ["ada@gmail.com"])
    assert (mail["subject"], mail["text"]) == ("Grüße", "Hello")


def test_aws_cli_meters_usage(aws: Aws, sandbox: Sandbox) -> None:
    purchase = contract_purchases.buy(sandbox, style="old")
    contract_purchases.act(sandbox, purchase, "confirm")
    sandbox.marketplace.dimensions[PRODUCT_CODE] = METERED
    now = datetime.now(UTC).isoformat(timespec="seconds")
    names = f"CustomerIdentifier={purchase.customer_identifier},Dimension=gb_processed"
    record = f"Timestamp={now},{names},Quantity=3"

    metered = aws("meteringmarketplace", "batch-meter-usage", "--product-code", PRODUCT_CODE, "--usage-records", record)

    assert metered.returncode == 0, metered.stderr
    assert [result["Status"] for result in json.loads(metered.stdout)["Results"]] == ["Success"]
    assert list(sandbox.marketplace.usage.ledger.totals().values()) == [3]
