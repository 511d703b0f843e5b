"""The texts, dates, numbers and names of the language in use."""

import sys
from datetime import UTC, datetime
from decimal import Decimal
from unicodedata import bidirectional

import pytest
from markupsafe import Markup

from app.languages import formats, speech
from app.languages.table import of_code

MOMENT = datetime(2026, 11, 28, 14, 5, tzinfo=UTC)
LINE = "%(count)s more line", "%(count)s more lines"


def test_text_is_in_the_language_in_use_and_english_outside() -> None:
    with speech.use(of_code("de")):
        assert speech.gettext("Hello %(name)s,", name="Ada") == "Guten Tag, Ada!"

    assert speech.gettext("Hello %(name)s,", name="Ada") == "Hello Ada,"


def test_lazy_text_is_looked_up_when_it_is_shown() -> None:
    lazy = speech.lazy_gettext("Company")

    with speech.use(of_code("de")):
        assert str(lazy) == "Firma"
    assert str(lazy) == "Company"


def test_plural_has_the_form_of_the_language() -> None:
    with speech.use(of_code("de")):
        assert [speech.ngettext(*LINE, count, count=count) for count in (1, 2)] == [
            "1 weitere Zeile",
            "2 weitere Zeilen",
        ]


@pytest.mark.parametrize(
    ("code", "day", "number"),
    [
        ("en", "28 November 2026", "12,500.5"),
        ("de", "28. November 2026", "12.500,5"),
        ("fr", "28 novembre 2026", "12\u202f500,5"),
        ("es", "28 de noviembre de 2026", "12.500,5"),
        ("pt-BR", "28 de novembro de 2026", "12.500,5"),
        ("ja", "2026年11月28日", "12,500.5"),
        ("ko", "2026년 11월 28일", "12,500.5"),
        ("zh-CN", "2026年11月28日", "12,500.5"),
        ("ar", "28 نوفمبر 2026", "12,500.5"),
    ],
)
def test_days_and_numbers_are_written_as_in_the_language(code: str, day: str, number: str) -> None:
    with speech.use(of_code(code)):
        assert (formats.day(MOMENT), formats.number(12500.5)) == (day, number)


@pytest.mark.parametrize(
    ("code", "day"), [("fr", "1er mars 2027"), ("pt-BR", "1º de março de 2027"), ("es", "1 de marzo de 2027")]
)
def test_first_of_a_month_is_an_ordinal_where_the_language_has_one(code: str, day: str) -> None:
    with speech.use(of_code(code)):
        assert formats.day(datetime(2027, 3, 1, tzinfo=UTC)) == day


@pytest.mark.parametrize(
    ("value", "shown"), [("0.125", "0,1250"), ("1.125", "1,1250"), ("12.5", "12,5"), ("1250", "1250")]
)
def test_typed_number_is_no_number_of_thousands(value: str, shown: str) -> None:
    with speech.use(of_code("de")):
        assert formats.typed_number(Decimal(value)) == shown


def test_what_is_no_number_is_written_in_each_language() -> None:
    with speech.use(of_code("de")):
        assert formats.number(float("nan")) == "NaN"


def test_spanish_groups_no_number_of_four_digits() -> None:
    with speech.use(of_code("es")):
        assert [formats.number(value) for value in (2000, -9999.5, 10000)] == ["2000", "-9999,5", "10.000"]


@pytest.mark.parametrize(
    ("code", "shown"),
    [
        ("en", "Slack, Teams, Mail"),
        ("ja", "Slack、Teams、Mail"),
        ("zh-CN", "Slack、Teams、Mail"),
        ("ar", "Slack، Teams، Mail"),
        ("ko", "Slack, Teams, Mail"),
    ],
)
def test_list_has_the_separator_of_the_language(code: str, shown: str) -> None:
    with speech.use(of_code(code)):
        assert formats.listed(["Slack", "Teams", "Mail"]) == shown


def test_products_own_text_replaces_ours_in_its_language_alone() -> None:
    texts = {"de": {"Company": ("Betrieb",), LINE[0]: ("eine Zeile", "%(count)s Zeilen")}}

    with speech.use(of_code("de"), texts):
        assert speech.gettext("Company") == "Betrieb"
        assert speech.ngettext(*LINE, 3, count=3) == "3 Zeilen"
        assert speech.gettext("Phone") == "Telefon"
    with speech.use(of_code("en"), texts):
        assert speech.gettext("Company") == "Company"


def test_products_own_text_has_only_the_tags_of_ours() -> None:
    message = 'Choose <strong lang="en">Set up your account</strong>.'
    texts = {"en": {message: ('Press <strong lang="en">Set up</strong> & <b>go</b>.',)}}

    with speech.use(of_code("en"), texts):
        assert speech.html(message) == Markup('Press <strong lang="en">Set up</strong> &amp; &lt;b&gt;go&lt;/b&gt;.')


@pytest.mark.parametrize(
    ("code", "name", "html"),
    [
        ("en", "Acme", "Acme"),
        ("en", "<&>", "&lt;&amp;&gt;"),
        ("en", "شركة (EU)!", "<bdi>شركة (EU)!</bdi>"),
        ("ar", "Acme (EU)!", "<bdi>Acme (EU)!</bdi>"),
        ("ar", None, ""),
    ],
)
def test_name_is_isolated_where_a_direction_could_turn_it(code: str, name: str | None, html: str) -> None:
    with speech.use(of_code(code)):
        assert formats.isolated_html(name) == html
        assert ("\u2068" in formats.isolated(name)) == ("<bdi>" in html)


def test_every_right_to_left_character_of_unicode_is_isolated() -> None:
    written_backwards = [
        character for character in map(chr, range(sys.maxunicode + 1)) if bidirectional(character) in {"R", "AL", "AN"}
    ]

    assert [character for character in written_backwards if formats.isolated(character) == character] == []
