"""`foyer products check` reads a products file without any other setting, as in CI."""

import subprocess
from pathlib import Path

from tests.cli.test_program import run_foyer
from tests.support import pictures

PRODUCTS = """
[products.first]
name = "Acme Insights"
sign_in_url = "https://app.acme.example/login"
support_email = "help@acme.example"

[products.first.brand]
logo = "logo.svg"
accent = "#0b5fff"

[[products.first.questions]]
id = "team_size"
type = "number"
label = "Team size"
required = true

[products.second]
name = "Acme Relay"
sign_in_url = "https://relay.acme.example/login"
support_email = "help@acme.example"
"""


def check(folder: Path, text: str, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run the command in a folder with this products file."""
    (folder / "products.toml").write_text(text, encoding="utf-8")
    (folder / "logo.svg").write_bytes(pictures.LOGO_SVG)
    return run_foyer("products", "check", *arguments, environment=environment, cwd=folder)


def test_good_file_is_described_product_by_product(tmp_path: Path) -> None:
    result = check(tmp_path, PRODUCTS, "products.toml")

    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.splitlines()[:4] == [
        "first: Acme Insights",
        "  brand      logo, accent #0b5fff, accent_dark #4282ff",
        "  questions  company, full_name, email, phone, team_size (number, required), notes",
        "  usage      the defaults",
    ]
    assert "second: Acme Relay" in result.stdout


def test_product_that_takes_handoffs_asks_for_the_account(tmp_path: Path) -> None:
    second = 'name = "Acme Relay"\n'
    taking = PRODUCTS.replace(second, f'{second}handoff_url = "https://relay.acme.example/foyer"\n')

    result = check(tmp_path, taking, "products.toml")

    assert result.stdout.count(", account,") == 1


def test_every_fault_is_named_with_its_place(tmp_path: Path) -> None:
    faulty = PRODUCTS.replace("#0b5fff", "blue").replace('"number"', '"digits"').replace('"Acme Relay"', "7")

    result = check(tmp_path, faulty, PRODUCTS_FILE=str(tmp_path / "products.toml"))

    assert (result.returncode, result.stdout) == (1, "")
    file = tmp_path / "products.toml"
    assert f"{file}, [products.first.brand] accent: it must be a colour as #rrggbb, such as #0b5fff." in result.stderr
    assert (
        f'{file}, [[products.first.questions]] 1 "team_size" type: it must be one of text, long_text' in result.stderr
    )
    assert f"{file}, [products.second] name: it must be text of 1 to 200 characters." in result.stderr


def test_command_without_a_file_says_how_to_name_one(tmp_path: Path) -> None:
    result = check(tmp_path, PRODUCTS)

    assert result.returncode == 2
    assert "foyer products check FILE" in result.stderr
