"""The doctor compares the dimensions of products.toml with those of the listings in AWS's catalog."""

import json
from pathlib import Path
from typing import Any

import pytest

from sandbox.faults import Faults
from sandbox.metering import dimensions
from sandbox.server import Sandbox
from tests.cli.doctor.doctor_output import findings, run_doctor
from tests.support import factories
from tests.support.databases import on_sqlite
from tests.support.scripted_aws import AwsResponse, ScriptedAws

SUBJECT = "dimensions"
CODE, OTHER_CODE = factories.PRODUCT_CODE, factories.OTHER_PRODUCT_CODE
PRODUCT = """
[products.{code}]
name = "Acme {code}"
pricing = "subscription"
sign_in_url = "https://app.acme.example/login"
support_email = "help@acme.example"

[products.{code}.usage]
{usage}
"""
METERED, ENTITLED = ["ExternallyMetered"], ["Entitled"]
ENTITIES = AwsResponse(200, {"EntitySummaryList": [{"EntityId": "prod-1"}]})
DENIED = AwsResponse(403, {"__type": "AccessDeniedException", "message": "no"})

pytestmark = on_sqlite


@pytest.fixture
def products_file(environment: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The products file of a seller, which the test writes."""
    file = tmp_path / "products.toml"
    factories.use_products_file(environment, file)
    return file


def check(products_file: Path, **usage_by_code: str) -> tuple[str, str]:
    """Return the verdict and finding for products with these lines of usage, by their codes."""
    tables = [PRODUCT.format(code=code, usage=usage) for code, usage in usage_by_code.items()]
    products_file.write_text("".join(tables), encoding="utf-8")
    return findings(run_doctor())[SUBJECT]


def details(listed: object, code: str = CODE) -> dict[str, Any]:
    """Return a listing's details as AWS's documentation shows them."""
    return {"Description": {"ProductTitle": "Acme", "ProductCode": code}, "Dimensions": listed}


def dimension(key: str, types: list[str]) -> dict[str, object]:
    return {"Name": key, "Description": key, "Key": key, "Unit": "Units", "Types": types}


def check_answers(
    environment: pytest.MonkeyPatch, products_file: Path, *answers: AwsResponse, usage: str = 'dimensions = ["gb"]'
) -> tuple[str, str]:
    """Return the verdict and finding where AWS's catalog gives these answers."""
    with ScriptedAws(list(answers)) as aws:
        environment.setenv("AWS_ENDPOINT_URL_MARKETPLACE_CATALOG", aws.url)
        return check(products_file, **{CODE: usage})


def described(listed: object, *, as_text: bool = True) -> AwsResponse:
    content = details(listed)
    return AwsResponse(200, {"Details": json.dumps(content)} if as_text else {"DetailsDocument": content})


def test_product_without_dimensions_needs_no_catalog(environment: pytest.MonkeyPatch, sandbox: Sandbox) -> None:
    calls_before = sandbox.marketplace.call_counts["ListEntities"]

    assert findings(run_doctor())[SUBJECT] == ("ok", "Not needed: no product has dimensions in products.toml.")
    assert sandbox.marketplace.call_counts["ListEntities"] == calls_before


def test_dimensions_of_every_product_are_found_on_its_listing(products_file: Path, sandbox: Sandbox) -> None:
    every = json.dumps([one.key for one in dimensions.METERED])

    verdict, finding = check(
        products_file, **{CODE: f"dimensions = {every}", OTHER_CODE: 'dimensions = ["gb_processed"]'}
    )

    assert verdict == "ok"
    assert f"Acme {CODE} ({CODE}): the listing has gb_processed, api_calls, compute_hours" in finding
    assert f"Acme {OTHER_CODE} ({OTHER_CODE}): the listing has gb_processed. It also has api_calls" in finding
    assert finding.endswith("of which Foyer refuses usage: products.toml does not name it.")


def test_dimension_that_the_listing_has_not_fails(products_file: Path) -> None:
    verdict, finding = check(products_file, **{CODE: 'dimensions = ["gb_procesed", "api_calls"]'})

    assert verdict == "FAIL"
    assert "the listing does not have gb_procesed. It has gb_processed, api_calls, " in finding
    assert f"[products.{CODE}.usage]" in finding


def test_fault_of_one_product_does_not_hide_that_of_another(products_file: Path) -> None:
    verdict, finding = check(products_file, **{CODE: 'dimensions = ["tebibytes"]', "unlisted1": 'dimensions = ["gb"]'})

    assert verdict == "FAIL"
    assert "does not have tebibytes" in finding
    assert "Acme unlisted1 (unlisted1): none of the 2 listings that these credentials can read" in finding


def test_listing_that_is_not_found_warns(products_file: Path) -> None:
    assert check(products_file, unlisted1='dimensions = ["gb"]')[0] == "warn"


@pytest.mark.parametrize(
    ("usage", "verdict", "text"),
    [
        ('dimensions = ["seats"]', "FAIL", "seats is Entitled only, so AWS refuses usage of it"),
        ('dimensions = ["odd"]', "warn", "odd is Metered. AWS takes usage of what is ExternallyMetered"),
        ('dimensions = ["both"]', "ok", "the listing has both. It also has gb, of which"),
        ('dimensions = ["untyped"]', "ok", "the listing has untyped."),
        ('dimensions = ["gb"]\nincluded = { gb = "seats" }', "ok", "the listing has gb."),
        ('included = { gb = "seats" }', "ok", "the listing has gb."),
        ('included = { gb = "sets" }', "FAIL", "the listing does not have sets"),
        ('included = { seats = "seats" }', "FAIL", "seats is Entitled only"),
        ('dimensions = ["gb"]\nincluded = { gb = "gb" }', "warn", "gb is not Entitled"),
    ],
)
def test_types_of_the_listing_are_compared_where_it_has_them(
    environment: pytest.MonkeyPatch, products_file: Path, usage: str, verdict: str, text: str
) -> None:
    listed = [
        dimension("gb", METERED),
        dimension("seats", ENTITLED),
        dimension("both", ["Metered", "ExternallyMetered", "Entitled"]),
        dimension("odd", ["Metered"]),
        {"Key": "untyped"},
    ]

    found = check_answers(environment, products_file, ENTITIES, described(listed), usage=usage)

    assert (found[0], text in found[1]) == (verdict, True)


@pytest.mark.parametrize("as_text", [True, False])
def test_details_are_read_from_a_text_and_from_a_document(
    environment: pytest.MonkeyPatch, products_file: Path, as_text: bool
) -> None:
    answer = described([dimension("gb", METERED)], as_text=as_text)

    assert check_answers(environment, products_file, ENTITIES, answer)[0] == "ok"


def test_product_code_beside_the_description_is_found(environment: pytest.MonkeyPatch, products_file: Path) -> None:
    content = {"ProductCode": CODE, "Dimensions": [dimension("gb", METERED)]}

    assert (
        check_answers(environment, products_file, ENTITIES, AwsResponse(200, {"DetailsDocument": content}))[0] == "ok"
    )


@pytest.mark.parametrize(
    "answer",
    [
        AwsResponse(200, {}),
        AwsResponse(200, {"Details": "{"}),
        AwsResponse(200, {"Details": "[]"}),
        AwsResponse(200, {"DetailsDocument": {"Description": "Acme"}}),
        described(None),
        described({"gb": METERED}),
        described([{"Name": "gb"}]),
        described(["gb"]),
        AwsResponse(200, "no JSON"),
    ],
    ids=str,
)
def test_unreadable_answer_warns(environment: pytest.MonkeyPatch, products_file: Path, answer: AwsResponse) -> None:
    assert check_answers(environment, products_file, ENTITIES, answer)[0] == "warn"


def test_missing_permission_warns_and_names_the_statement(products_file: Path, sandbox: Sandbox) -> None:
    sandbox.marketplace.faults = Faults(access_denied=True)

    verdict, finding = check(products_file, **{CODE: 'dimensions = ["gb_processed"]'})

    assert verdict == "warn"
    assert "statements DoctorListsListings and DoctorReadsListings" in finding
    assert "aws-marketplace:ListEntities and aws-marketplace:DescribeEntity" in finding
    assert finding.endswith("(AccessDeniedException)")


def test_one_listing_that_may_not_be_read_hides_no_other(environment: pytest.MonkeyPatch, products_file: Path) -> None:
    two = AwsResponse(200, {"EntitySummaryList": [{"EntityId": "prod-1"}, {"EntityId": "prod-2"}]})

    found = check_answers(environment, products_file, two, DENIED, described([dimension("gb", METERED)]))
    assert found[0] == "ok"
    found = check_answers(environment, products_file, two, DENIED, DENIED)
    assert (found[0], "DoctorReadsListings" in found[1]) == ("warn", True)


@pytest.mark.parametrize(
    ("status", "code", "advice"),
    [
        (422, "ValidationException", "AWS failed or could not be reached"),
        (404, "ResourceNotFoundException", "AWS failed or could not be reached"),
        (429, "ThrottlingException", "Run the doctor again in a minute"),
        (500, "InternalServiceException", "AWS failed or could not be reached"),
        (403, "UnrecognizedClientException", "missing, wrong or expired"),
    ],
)
def test_catalog_that_fails_warns(
    environment: pytest.MonkeyPatch, products_file: Path, status: int, code: str, advice: str
) -> None:
    verdict, finding = check_answers(environment, products_file, AwsResponse(status, {"__type": code}))

    assert verdict == "warn"
    assert finding.startswith("The dimensions in products.toml were not compared")
    assert advice in finding
