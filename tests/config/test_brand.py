"""The table of a product that says how its pages and mails look."""

from pathlib import Path

import pytest

from app.config import accents
from app.config.brand import NO_BRAND, Brand
from tests.config import product_file
from tests.support import pictures

TABLE = "[products.first.brand]\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with two logos."""
    (tmp_path / "logo.svg").write_bytes(pictures.LOGO_SVG)
    (tmp_path / "logo.png").write_bytes(pictures.png(240, 80))
    return tmp_path


def load(folder: Path, text: str) -> Brand:
    return product_file.load(folder, TABLE + text).brand


def refusal(folder: Path, text: str) -> str:
    return product_file.refusal(folder, TABLE + text)


def test_whole_brand_is_read(folder: Path) -> None:
    brand = load(
        folder,
        'logo = "logo.svg"\nlogo_dark = "logo.png"\nlogo_mail = "logo.png"\nicon = "logo.png"\naccent = "#0B5FFF"\n'
        'accent_dark = "#7dabff"\ncorners = "soft"\nprivacy_url = "https://acme.example/privacy"\n'
        'terms_url = "https://acme.example/terms"\npowered_by = true\n',
    )

    assert brand.logo
    assert brand.logo.content == pictures.LOGO_SVG
    assert (brand.logo.mimetype, brand.logo.width_at(40)) == ("image/svg+xml", 120)
    assert brand.logo_mail == brand.icon
    assert [shades and shades.accent for shades in (brand.light, brand.dark)] == ["#0b5fff", "#7dabff"]
    assert (brand.corners, brand.powered_by) == ("soft", True)


def test_product_without_a_table_has_no_brand(folder: Path) -> None:
    assert load(folder, "") == NO_BRAND


def test_mails_show_a_png_logo_and_no_svg(folder: Path) -> None:
    assert load(folder, 'logo = "logo.svg"').logo_mail is None
    brand = load(folder, 'logo = "logo.png"')

    assert brand.logo_mail is brand.logo


def test_logo_in_a_folder_beside_the_file_is_read(folder: Path) -> None:
    (folder / "acme").mkdir()
    (folder / "logo.svg").rename(folder / "acme" / "logo.svg")

    assert load(folder, 'logo = "acme/logo.svg"').logo


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ('logo = "none.svg"', "none.svg cannot be read"),
        ('logo = "/etc/logo.svg"', "the name of an SVG or PNG file beside the products file"),
        ('logo = "../logo.svg"', "the name of an SVG or PNG file beside the products file"),
        ('logo = "a/../../logo.svg"', "the name of an SVG or PNG file beside the products file"),
        ('logo = "logo.gif"', "the name of an SVG or PNG file"),
        ('logo_mail = "logo.svg"', "mail programs show no SVG"),
        ('logo_dark = "logo.svg"', "set logo too"),
        ('accent = "blue"', "a colour as #rrggbb, such as #0b5fff"),
        ('accent_dark = "#7dabff"', "set accent too"),
        ('accent = "#0b5fff"\naccent_dark = "#0b5fff"', "dark ground"),
        ('corners = "pointed"', "round, soft or square"),
        ('privacy_url = "http://acme.example"', "begins with https://"),
        ('font = "Inter"', "there is no such field. The fields are logo"),
    ],
)
def test_refused_value_is_named_with_what_would_do(folder: Path, text: str, advice: str) -> None:
    message = refusal(folder, text)

    assert "[products.first.brand]" in message
    assert advice in message


def test_accent_that_is_too_light_is_refused_with_the_nearest(folder: Path) -> None:
    message = refusal(folder, 'accent = "#f5a623"')

    nearest = message.rpartition("#")[2][:6]
    assert "1.83" in message
    assert accents.light_shades(f"#{nearest}")


@pytest.mark.parametrize("accent", ["#0b5fff", "#0d5f58", "#7a1fa2", "#a8261c", "#333333", "#000000", "#9a6400"])
def test_every_text_of_an_accent_can_be_read(accent: str) -> None:
    light = accents.light_shades(accent)
    dark = accents.dark_shades(accents.lighten_for_dark(accent))

    for shades, card in ((light, "#ffffff"), (dark, accents.DARK_GROUND)):
        for text, ground in (
            (shades.accent, card),
            (shades.on_accent, shades.accent),
            (shades.strong, shades.tint),
            (shades.accent, shades.tint),
        ):
            assert accents._contrast(text, ground) >= 4.5, (text, ground)


UNSAFE = [
    ("<script>alert(1)</script>", "<script>"),
    ('<g onload="x()"/>', "onload"),
    ("<foreignObject/>", "<foreignObject>"),
    ('<image href="https://other.example/a.png"/>', "https://other.example/a.png"),
    ('<image xmlns:l="http://www.w3.org/1999/xlink" l:href="//other.example/a.png"/>', "//other.example/a.png"),
    ('<use href="other.svg#a"/>', "other.svg#a"),
    ('<a href="javascript:x()"/>', "javascript:"),
    ('<style>@import url("a.css");</style>', "a style that may load another one"),
    ("<style>.a{fill:url(https://other.example/a)}</style>", "https://other.example/a"),
    ('<rect style="fill:url(a.svg#b)"/>', "a.svg#b"),
    ('<rect fill="url(https://other.example/a)"/>', "https://other.example/a"),
    ("<style>.a{fill:\\75rl(x)}</style>", "a style that may load another one"),
    ('<rect style="background:image-set(url(https://other.example/a) 1x)"/>', "https://other.example/a"),
]


@pytest.mark.parametrize(("part", "fault"), UNSAFE)
def test_svg_that_runs_or_loads_anything_is_refused(folder: Path, part: str, fault: str) -> None:
    (folder / "unsafe.svg").write_text(pictures.SVG.format(part), encoding="utf-8")

    message = refusal(folder, 'logo = "unsafe.svg"')

    assert fault in message
    assert "Export it as a plain SVG" in message


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (
            b'<?xml-stylesheet href="a.css"?><svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"/>',
            "xml-stylesheet",
        ),
        (b'<!DOCTYPE svg [<!ENTITY a "b">]><svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"/>', "entities"),
        (b'<svg viewBox="0 0 1 1"/>', "is not an SVG"),
        (b'<svg xmlns="http://www.w3.org/2000/svg"/>', "has no size"),
        (b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9000 1"/>', "9000 × 1"),
        (b"<html></html>", "is not an SVG"),
        (b"GIF89a", "neither a PNG nor an SVG"),
        (b"\x89PNG\r\n\x1a\n", "damaged PNG"),
        (b"<!--" + b"a" * 200_000 + b"-->", "195 KB, and may have 100"),
    ],
)
def test_file_that_is_no_picture_is_refused(folder: Path, content: bytes, fault: str) -> None:
    (folder / "logo.svg").write_bytes(content)

    assert fault in refusal(folder, 'logo = "logo.svg"')


def test_svg_as_drawing_programs_write_it_is_accepted(folder: Path) -> None:
    text = (
        '<?xml version="1.0" encoding="UTF-8" standalone="no"?>\n<!-- Made with a drawing program -->\n'
        '<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd">\n'
        '<svg width="120px" height="40px" xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink">'
        "<title>Acme</title><style>.a{fill:url(#g)}</style>"
        '<defs><linearGradient id="g"><stop offset="0" stop-color="#f00"/></linearGradient></defs>'
        '<image xlink:href="data:image/png;base64,iVBORw0KGgo="/><use href="#g"/>'
        '<rect class="a" style="stroke:#000"/></svg>'
    )
    (folder / "drawn.svg").write_text(text, encoding="utf-8")

    logo = load(folder, 'logo = "drawn.svg"').logo

    assert logo
    assert (logo.width, logo.height) == (120, 40)
