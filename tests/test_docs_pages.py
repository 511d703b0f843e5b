"""docs/pages.md: its example can be used as it is, and it names every field and every type."""

import re
from pathlib import Path

import pytest

from app.config import products, questions
from app.config.brand import TABLE_FIELDS
from app.languages.table import BY_CODE
from tests.support import pictures

PAGE = (Path(__file__).parents[1] / "docs" / "pages.md").read_text(encoding="utf-8")


def test_example_in_the_guide_is_a_products_file(tmp_path: Path) -> None:
    [example] = re.findall(r"^```toml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    (tmp_path / "logo.svg").write_bytes(pictures.LOGO_SVG)
    (tmp_path / "products.toml").write_text(example, encoding="utf-8")

    [product] = products.read_file(tmp_path / "products.toml").values()

    assert product.brand.logo
    assert product.questions.order == ("team_size", "plan", "vat", "account", "notes")


@pytest.mark.parametrize(
    "name",
    [*TABLE_FIELDS, *questions.QUESTION_FIELDS, *questions.TYPES, *questions.PLACEABLE, *BY_CODE],
)
def test_guide_names_every_field_type_and_language(name: str) -> None:
    assert f"`{name}`" in PAGE
