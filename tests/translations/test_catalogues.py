"""The committed catalogues: made of the code as it is, whole, and with the placeholders and tags of the English."""

import re
from collections import Counter
from collections.abc import Iterator

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.plurals import get_plural

from app.config.texts import PLACEHOLDER
from app.languages.speech import TAG
from app.languages.table import TRANSLATED, Language
from tests.translations import catalogues

# A title of ours, which is also a button of AWS's console.
OWN_NAMES = {"Set up your account"}
# Their translators are at work. Whoever has finished one takes it from here.
UNFINISHED: set[str] = set()
each_language = pytest.mark.parametrize("language", TRANSLATED, ids=lambda language: language.code)
ENGLISH_RUN = re.compile(r'<strong lang="en">[^<]*</strong>')


def messages(catalogue: Catalog) -> Iterator[Message]:
    return (message for message in catalogue if message.id)


def forms(text: object) -> tuple[str, ...]:
    """The text, or its forms for numbers."""
    return tuple(map(str, text)) if isinstance(text, tuple | list) else (str(text or ""),)


def translations(language: Language) -> Iterator[tuple[str, str]]:
    """Each translated text, with the English that has the same placeholders."""
    for message in messages(catalogues.load(language)):
        yield from ((forms(message.id)[-1], text) for text in forms(message.string) if text)


def test_template_is_what_the_code_says() -> None:
    assert catalogues.TEMPLATE.read_bytes() == catalogues.as_po(catalogues.extract()), "run: make translations"


@each_language
def test_catalogue_has_the_texts_of_the_template_and_is_compiled(language: Language) -> None:
    catalogue, path = catalogues.load(language), catalogues.po_path(language)

    assert {str(message.id) for message in messages(catalogue)} == {
        str(message.id) for message in messages(catalogues.extract())
    }, "run: make translations"
    assert path.with_suffix(".mo").read_bytes() == catalogues.as_mo(catalogue), "run: make translations"


@pytest.mark.parametrize(
    "language",
    [
        pytest.param(language, marks=pytest.mark.xfail(reason="to translate"))
        if language.code in UNFINISHED
        else language
        for language in TRANSLATED
    ],
    ids=lambda language: language.code,
)
def test_catalogue_is_whole(language: Language) -> None:
    assert [
        message.id for message in messages(catalogues.load(language)) if not catalogues.is_translated(message)
    ] == []


@each_language
def test_catalogue_has_no_fuzzy_texts_and_all_forms_of_plurals(language: Language) -> None:
    catalogue = catalogues.load(language)

    assert catalogue.num_plurals == get_plural(language.folder).num_plurals
    assert [message.id for message in messages(catalogue) if message.fuzzy] == []
    assert {len(forms(message.string)) for message in messages(catalogue) if message.pluralizable} == {
        catalogue.num_plurals
    }


@each_language
def test_translation_has_the_placeholders_and_tags_of_the_english(language: Language) -> None:
    for english, text in translations(language):
        assert set(PLACEHOLDER.findall(text)) == set(PLACEHOLDER.findall(english)), text
        assert Counter(TAG.findall(text)) == Counter(TAG.findall(english)), text
        assert "%" not in PLACEHOLDER.sub("", text)
        rest = TAG.sub("", text)
        assert not {"<", ">", "&"} & set(rest), text
        assert text == text.strip()


@each_language
def test_translation_keeps_the_names_of_awss_console(language: Language) -> None:
    for english, text in translations(language):
        assert Counter(ENGLISH_RUN.findall(text)) == Counter(ENGLISH_RUN.findall(english)), text
        for name in ("Manage subscriptions", "Set up your account"):
            assert english in OWN_NAMES or text.count(name) == english.count(name), text


def test_english_texts_have_no_percent_sign_but_placeholders() -> None:
    for message in messages(catalogues.extract()):
        for english in forms(message.id):
            assert "%" not in PLACEHOLDER.sub("", english), english
