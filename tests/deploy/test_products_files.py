"""The products file and its pictures, as `make deploy` puts them into an image."""

from pathlib import Path

import pytest

from app.config.brand import PICTURE, TABLE_FIELDS
from deploy import products_files
from tests.support.deploy_tool import SellerAccount

PRODUCT = '[products.prodcode1]\nname = "Acme"\nsign_in_url = "https://a.example"\nsupport_email = "h@acme.example"\n'


def test_other_picture_is_another_image(tmp_path: Path) -> None:
    (tmp_path / "acme.toml").write_text(f'{PRODUCT}[products.prodcode1.brand]\nlogo = "logo.svg"\n', encoding="utf-8")
    digests = set()
    for picture in ("<svg/>", "<svg />"):
        (tmp_path / "logo.svg").write_text(picture, encoding="utf-8")
        digests.add(products_files.digest(products_files.read(tmp_path / "acme.toml")))

    assert len(digests) == 2


def test_picture_that_is_missing_is_named(seller: SellerAccount, tmp_path: Path) -> None:
    (tmp_path / "acme.toml").write_text(f'{PRODUCT}[products.prodcode1.brand]\nlogo = "logo.svg"\n', encoding="utf-8")

    answer = seller.deploy(YES="1", IMAGE="", PRODUCTS_FILE=str(tmp_path / "acme.toml"))

    assert answer.status == 1
    assert "names the picture logo.svg, which cannot be read: No such file or directory." in answer.words


@pytest.mark.parametrize("table", ['logo = "../logo.svg"', 'logo = "/logo.svg"', "logo = 1", 'icon = ""', "[[brand]]"])
def test_what_names_no_picture_beside_the_file_is_left_to_foyer(tmp_path: Path, table: str) -> None:
    (tmp_path / "acme.toml").write_text(f"{PRODUCT}[products.prodcode1.brand]\n{table}\n", encoding="utf-8")

    assert list(products_files.read(tmp_path / "acme.toml")) == ["products.toml"]


def test_fields_of_pictures_are_those_of_a_brand() -> None:
    assert set(products_files.PICTURE_FIELDS) == {
        name for name, field in TABLE_FIELDS.items() if field.description == PICTURE
    }
