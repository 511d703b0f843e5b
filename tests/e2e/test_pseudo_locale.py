"""Every page and mail for buyers in a language that nobody speaks: all of it comes through the catalogue, and fits."""

import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import product as all_pairs
from pathlib import Path

import pytest
from flask import Flask
from playwright.sync_api import Page, ViewportSize

from app.languages import formats, speech
from app.languages.table import BY_CODE
from app.services.delivery import mail_templates
from sandbox.gallery.mail_states import MAIL_STATES, TO_BUYERS
from tests.support import own_pages, page_states, pseudo_locale
from tests.support.databases import on_sqlite
from tests.support.mail_examples import PRODUCT
from tests.translations import catalogues

GERMAN = BY_CODE["de"]
NARROW: ViewportSize = {"width": 320, "height": 700}
# What is nobody's language: the product's, the buyer's and AWS's names, ids, addresses, days and numbers; a note; the
# seller's questions; and countries, which Babel translates.
COUNTRIES = sorted(map(re.escape, formats.country_names(GERMAN).values()), key=len, reverse=True)
NAMES = re.compile(
    r"\d+\. November 202\d|agmt-1|0a1b2c|Acme Insights|Juniper(?: & Lark)?|Ada Lovelace|Ada|AWS(?: Marketplace)?"
    r"|juniper-7f3k|acme-7|help@acme\.example"
    rf"|{own_pages.OWN}\w+|{'|'.join(COUNTRIES)}"
    r"|\S*@\S+|https?://\S+|[•\d]+|line|Please call\s+after ten|seats|gold|tier|two hours|UTC|x{200,}|[-+(),.:·–/ ]"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the catalogue, in the place of the German one."""
    return pseudo_locale.write_catalogue(tmp_path_factory.mktemp("pseudo"), GERMAN)


@pytest.fixture
def pages(app: Flask, folder: Path) -> dict[str, str]:
    """Every page in the language."""
    app.config["TRANSLATIONS"] = folder
    return page_states.all_pages(app)


@pytest.fixture(scope="module")
def mails(folder: Path) -> dict[str, tuple[str, str]]:
    """The plain text, with the subject, and the HTML of every buyer's mail in each state."""
    return dict(mails_in_all_states(folder))


def mails_in_all_states(folder: Path) -> Iterator[tuple[str, tuple[str, str]]]:
    products = (PRODUCT, replace(PRODUCT, handoff_url=None))
    for state, product in all_pairs(MAIL_STATES, products):
        if state.group != TO_BUYERS:
            continue
        context = state.context(product if state.knows_product else None, GERMAN)
        with speech.use(GERMAN, folder=folder):
            mail = mail_templates.compose(state.template, context)
        yield f"{state.name} {product.handoff_url}", (f"{mail.subject}\n{mail.text}", mail.html)


def foreign(words: str) -> str:
    return " ".join(NAMES.sub(" ", pseudo_locale.outside_brackets(words)).split())


@on_sqlite
def test_every_text_of_a_page_comes_through_the_catalogue(pages: dict[str, str]) -> None:
    found = {name: foreign(pseudo_locale.words_of_page(page)) for name, page in pages.items()}

    assert {name: words for name, words in found.items() if words} == {}


def test_every_text_of_a_mail_comes_through_the_catalogue(mails: dict[str, tuple[str, str]]) -> None:
    for name, (text, html) in mails.items():
        assert foreign(text.replace("a.b", "")) == "", name
        assert foreign(pseudo_locale.words_of_page(html).replace("a.b", "")) == "", name


@on_sqlite
def test_pages_and_mails_use_every_text_of_the_catalogue(
    pages: dict[str, str], mails: dict[str, tuple[str, str]]
) -> None:
    texts = "\n".join([*pages.values(), *(text for mail in mails.values() for text in mail)])
    ids = [message.id for message in catalogues.extract() if message.id]

    english = [str(one[1] if isinstance(one, tuple) else one) for one in ids]
    assert [text for text in english if not pseudo_locale.is_used(text, texts)] == []


# Replaces the page's body, which is quicker than to open each page; returns the width and what overflows its box.
FIT = """body => {
  document.body.innerHTML = body
  const clipped = [...document.querySelectorAll('body *')]
    .filter(element => element.scrollWidth > element.clientWidth + 1 && element.clientWidth > 0)
    .filter(element => !element.closest('.unseen, .skip, textarea, input, .working'))
    .filter(element => getComputedStyle(element).display !== 'inline')
  return [document.documentElement.scrollWidth, clipped.map(element => element.outerHTML.slice(0, 120))]
}"""


@on_sqlite
def test_longest_texts_fit_the_narrowest_screen(app: Flask, axe_page: Page, pages: dict[str, str]) -> None:
    axe_page.set_viewport_size(NARROW)
    axe_page.set_content(pages["Before and after: start"].replace("<link", "<meta"))
    axe_page.add_style_tag(content=(Path(str(app.static_folder)) / "style.css").read_text(encoding="utf-8"))
    for name, page in pages.items():
        [body] = re.findall("<body>(.*)</body>", page, re.DOTALL)
        width, clipped = axe_page.evaluate(FIT, body)

        assert (width, clipped) == (NARROW["width"], []), name
