"""The table of a product that says how its usage is metered."""

from datetime import timedelta
from pathlib import Path

import pytest

from app.config import products
from app.config.settings import SettingsError
from app.config.usage_rules import UsageRules
from tests.config import product_file
from tests.support import factories


def load(folder: Path, text: str) -> UsageRules:
    return product_file.load(folder, text).usage


def test_every_rule_is_read(tmp_path: Path) -> None:
    text = """
[products.first.usage]
grace_minutes = 90
late_usage = "hold"
unit = "whole"
last_remainder = "down"
heartbeat = true
dimensions = ["gb_processed", "api_calls"]
included = { gb_processed = "included_gb" }
"""
    rules = load(tmp_path, text)

    assert rules == UsageRules(
        grace_minutes=90,
        late_usage="hold",
        unit="whole",
        last_remainder="down",
        heartbeat=True,
        dimensions=("gb_processed", "api_calls"),
        included=(("gb_processed", "included_gb"),),
    )
    assert rules.grace == timedelta(minutes=90)


def test_product_without_the_table_has_the_defaults(tmp_path: Path) -> None:
    assert load(tmp_path, "") == products.load(factories.settings())[factories.PRODUCT_CODE].usage == UsageRules()


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("grace_minutes = 1201", "grace_minutes: it must be how many minutes after its end"),
        ('late_usage = "drop"', "late_usage: it must be next-hour, which"),
        ('unit = "dozen"', "unit: it must be decimal, or whole"),
        ("last_remainder = 1", "last_remainder: it must be up or down"),
        ('heartbeat = "perhaps"', "heartbeat: it must be true, which sends 0"),
        ("heartbeat = true", "dimensions: it is not set. heartbeat sends 0 in each of them"),
        ('dimensions = "gb"', "dimensions: it must be a list of the dimensions"),
        ("dimensions = [1]", "dimensions: it must be a list of the dimensions"),
        ('dimensions = [""]', "dimensions: it must be a list of the dimensions"),
        ('included = "gb"', "included: it must be a table of the contract's dimensions"),
        ("included = { gb = 1 }", "included: it must be a table of the contract's dimensions"),
        ("colour = 1", "colour: there is no such field. The fields are grace_minutes, late_usage, unit,"),
    ],
)
def test_invalid_rule_is_refused_with_its_place(tmp_path: Path, line: str, fault: str) -> None:
    message = product_file.refusal(tmp_path, f"[products.first.usage]\n{line}\n")

    assert f"{tmp_path}/products.toml, [products.first.usage] {fault}" in message


def test_rules_that_are_no_table_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"\[products\.first\.usage\]: it must be a table\."):
        load(tmp_path, "usage = 3")
