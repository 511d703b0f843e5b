"""Sentences on a page that come from several texts: a blank parts them."""

import re
from html import unescape

from flask import Flask

from app.config import products
from app.languages.table import ENGLISH
from sandbox.gallery.states import PAGE_STATES
from tests.support.databases import on_sqlite

PARAGRAPH = re.compile(r"<(p|li|dd|label|legend)\b[^>]*>(.*?)</\1>", re.DOTALL)
TAG = re.compile(r"<[^>]+>")
JOINED = re.compile(r"\w*[a-z0-9)][.:?!][A-Z“]\w*")


@on_sqlite
def test_no_two_sentences_are_joined(app: Flask) -> None:
    with app.app_context():
        [product] = products.current().values()
    joined: dict[str, list[str]] = {}
    for state in PAGE_STATES:
        page = state.render(app, product, ENGLISH)
        texts = [unescape(TAG.sub("", content)) for _, content in PARAGRAPH.findall(page)]
        joined[f"{state.group}: {state.name}"] = [found for text in texts for found in JOINED.findall(text)]

    assert len(joined) == len(PAGE_STATES)
    assert {name: found for name, found in joined.items() if found} == {}
