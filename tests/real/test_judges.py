"""IBM's Equal Access on the pages for buyers: a second judge of accessibility beside axe."""

import itertools
from collections.abc import Iterator

import pytest
from flask import Flask
from playwright.sync_api import Page, sync_playwright

from app.languages.table import LANGUAGES
from tests.e2e import chromium
from tests.real import packages, programs
from tests.support import page_states
from tests.support.databases import on_sqlite
from tests.support.processes import ROOT
from tests.support.unavailable import do_without

STYLE_SHEET = ROOT / "app" / "static" / "style.css"
ENGINE = "node_modules/accessibility-checker-engine/ace.js"
# What the engine is sure of; the rest of its report is for people to look at.
VIOLATIONS = """async () => {
    const report = await new ace.Checker().check(document, ["IBM_Accessibility"]);
    const sure = report.results.filter(result => result.value.join() === "VIOLATION,FAIL");
    return sure.map(result => `${result.ruleId}: ${result.message} ${result.snippet}`);
}"""


@pytest.fixture
def page_with_scripts() -> Iterator[Page]:
    """A page of Chromium with JavaScript, which the engine needs."""
    if chromium.executable_path() is None:
        do_without(chromium.MISSING_MESSAGE)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(**chromium.launch_options())  # type: ignore[arg-type]
        yield browser.new_page()
        browser.close()


@on_sqlite
def test_equal_access_finds_no_violation(app: Flask, page_with_scripts: Page) -> None:
    engine = programs.folder_of(packages.EQUAL_ACCESS) / ENGINE
    renderers = page_states.renderers(app)
    first_of_each_group = {name.partition(":")[0]: name for name in reversed(renderers) if ":" in name}
    names = ("own signup", "own signup 1", "own welcome", *sorted(first_of_each_group.values()))

    found = {}
    for name, language in zip(names, itertools.cycle(LANGUAGES), strict=False):
        page_with_scripts.set_content(renderers[name](language))
        page_with_scripts.add_style_tag(path=STYLE_SHEET)
        page_with_scripts.add_script_tag(path=engine)
        found[name] = page_with_scripts.evaluate(VIOLATIONS)

    assert len(found) >= len(LANGUAGES)
    assert found == {name: [] for name in names}
