"""make deploy: wrong input is answered before anything is made, with what to do."""

from pathlib import Path

import pytest

from deploy import templates
from tests.support.deploy_tool import FIRST, SellerAccount


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"STACK": ""}, "Add STACK=foyer"),
        ({"STACK": "1-foyer"}, "STACK=1-foyer is no name of a stack"),
        ({"STACK": "f" * 51}, "up to 50 letters"),
        ({"DOMAIN": ""}, "Name the host at which buyers find Foyer: DOMAIN=start.acme.example"),
        ({"DOMAIN": "https://start.acme.example/"}, "Name only its host, such as start.acme.example"),
        ({"DOMAIN": "start_acme.example"}, "Write it as start.acme.example"),
        ({"REGION": "us-east1"}, "Did you mean us-east-1?"),
        ({"PRODUCT_CODE": ""}, "Name your listing's product code, PRODUCT_CODE=..."),
        ({"PARAMETERS": "SingInUrl=https://app.acme.example"}, "Did you mean SignInUrl?"),
        ({"PARAMETERS": "TaskCpu=300"}, "TaskCpu is 300, but it must be one of 256, 512, 1024"),
        ({"PARAMETERS": "WebTasks=two"}, "WebTasks is two, but it must be a number"),
        ({"PARAMETERS": "WebTasks=0"}, "WebTasks is 0, but it must be at least 1"),
        ({"PARAMETERS": "WebTasks"}, "PARAMETERS has WebTasks, which is no Name=value"),
        ({"PARAMETERS": "ProductName='Acme"}, "PARAMETERS cannot be read"),
        ({"ZONE": "zone1"}, "ZoneId is zone1, but it must be of the form"),
        ({"PRODUCTS_FILE": "nowhere.toml"}, "PRODUCTS_FILE=nowhere.toml cannot be read: No such file"),
        ({"TEMPLATE": "nowhere.yaml"}, "The template nowhere.yaml cannot be read"),
        ({"MAIL_FROM": "Acme"}, "Write it as Acme <start@acme.example>"),
    ],
)
def test_wrong_input_is_answered(seller: SellerAccount, variables: dict[str, str], words: str) -> None:
    answer = seller.deploy(typed="y\n", **variables)

    assert answer.status == 1
    assert words in answer.words
    assert seller.aws.called("cloudformation.CreateChangeSet") == []


def test_domain_is_written_in_lower_case(seller: SellerAccount) -> None:
    seller.deploy(typed="y\n", DOMAIN="Start.Acme.Example.")

    assert seller.cloudformation.executed[0].parameters["DomainName"] == "start.acme.example"


def test_setting_that_foyer_refuses_is_named_as_a_parameter(seller: SellerAccount) -> None:
    given = FIRST["PARAMETERS"].replace("https://app.acme.example/login", "app.acme.example")

    answer = seller.deploy(TEMPLATE=str(templates.PRODUCTION), PARAMETERS=given)

    assert answer.status == 1
    assert "Foyer would not start with these settings" in answer.words
    assert 'SignInUrl (PARAMETERS="SignInUrl=...")' in answer.words
    assert "PRODUCT_SIGN_IN_URL" not in answer.output


def test_products_file_is_checked_as_foyer_reads_it(seller: SellerAccount, tmp_path: Path) -> None:
    path = tmp_path / "products.toml"
    path.write_text('[products.prodcode1]\nname = "Acme"\n', encoding="utf-8")

    answer = seller.deploy(TEMPLATE=str(templates.PRODUCTION), PRODUCTS_FILE=str(path))

    assert answer.status == 1
    assert "sign_in_url" in answer.output


def test_products_file_that_is_no_toml_is_answered(seller: SellerAccount, tmp_path: Path) -> None:
    path = tmp_path / "products.toml"
    path.write_text("[products", encoding="utf-8")

    assert "is not TOML" in seller.deploy(PRODUCTS_FILE=str(path)).words


def test_undeploy_refuses_an_unknown_word_for_the_database(seller: SellerAccount) -> None:
    assert "DATABASE=yes is neither keep nor delete" in seller.run("undeploy", DATABASE="yes").words
