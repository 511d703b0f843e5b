"""Google's Lighthouse on the pages of a buyer, under gunicorn: `python -m tests.real.lighthouse` for all languages."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, sync_playwright

from app.languages.table import LANGUAGES
from sandbox.server import Sandbox
from tests.conftest import migrate
from tests.e2e import chromium
from tests.e2e.test_journey import register
from tests.e2e.test_pages import signup
from tests.real import packages, programs
from tests.support import app_processes, asked_questions, factories, pictures
from tests.support.ports import free_port
from tests.support.unavailable import do_without

SCRIPT = Path(__file__).parent / "node" / "lighthouse.mjs"
BEFORE_REGISTERING = ("", "signup", "invite")
# Without refreshes: Lighthouse cannot judge a page that goes.
AFTERWARDS = ("welcome?still",)
PAGES = (*BEFORE_REGISTERING, *AFTERWARDS)
# A products file asks these questions, and has these fields.
BRANDS: dict[str, tuple[list[dict[str, Any]], dict[str, Any]]] = {
    "none": ([], {}),
    "colour": ([], {"brand": {"logo": "logo.svg", "accent": "#b3261e", "corners": "square"}}),
    "all": (
        [{**question, "required": False} for question in asked_questions.QUESTIONS],
        {
            "brand": {
                "logo": "logo.png",
                "logo_dark": "logo.svg",
                "icon": "logo.png",
                "accent": "#0b5fff",
                "corners": "round",
                "privacy_url": "https://acme.example/privacy",
                "terms_url": "https://acme.example/terms",
                "powered_by": True,
            }
        },
    ),
}
LIBRARY = "node_modules/lighthouse/core/index.js"
MAX_SECONDS_OF_A_PAGE = 120
CATEGORIES = ("performance", "accessibility", "best-practices", "seo")


@dataclass(frozen=True)
class Verdict:
    """What Lighthouse says of a page. `scores` of 0 to 1 by category; None where it could not judge."""

    url: str
    language: str
    scores: dict[str, float | None]
    faults: list[dict[str, Any]]
    warnings: list[str]


@contextmanager
def browser_with_port(folder: Path) -> Iterator[tuple[BrowserContext, int]]:
    """Run Chromium; yield its only context, and the port on which Lighthouse drives it."""
    if chromium.executable_path() is None:
        do_without(chromium.MISSING_MESSAGE)
    port, options = free_port(), chromium.launch_options()
    arguments = [*options.pop("args"), f"--remote-debugging-port={port}"]  # type: ignore[misc]
    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(folder, args=arguments, **options)  # type: ignore[arg-type]
        yield context, port
        context.close()


def judge_brand(name: str, languages: Sequence[str], categories: Sequence[str] = CATEGORIES) -> list[Verdict]:
    """Register a buyer of a product with the brand; return what Lighthouse says of its pages in the languages."""
    questions, fields = BRANDS[name]
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        (folder / "logo.svg").write_bytes(pictures.LOGO_SVG)
        (folder / "logo.png").write_bytes(pictures.png(240, 80))
        database_url = f"sqlite:///{folder}/foyer.db"
        migrate(database_url)
        sandbox = stack.enter_context(Sandbox(factories.products()))
        environment = factories.environment(database_url, sandbox.aws_url)
        del environment["PRODUCT_CODE"]
        environment["PRODUCTS_FILE"] = str(asked_questions.write_file(folder, questions, **fields))
        sandbox.app_url = url = stack.enter_context(app_processes.run_gunicorn(environment))
        context, port = stack.enter_context(browser_with_port(folder / "browser"))
        page = context.new_page()
        signup(page, sandbox)
        before = _judge(port, [f"{url}{path}" for path in BEFORE_REGISTERING], languages, categories)
        register(page)
        page.wait_for_url(f"{url}welcome")
        page.close()
        return before + _judge(port, [f"{url}{path}" for path in AFTERWARDS], languages, categories)


def _judge(port: int, urls: Sequence[str], languages: Sequence[str], categories: Sequence[str]) -> list[Verdict]:
    pages = [{"url": url, "language": language} for url in urls for language in languages]
    task = json.dumps({"port": port, "categories": categories, "pages": pages})
    library = programs.folder_of(packages.LIGHTHOUSE) / LIBRARY
    command = [programs.path_of("node"), str(SCRIPT), str(library), task]
    done = subprocess.run(
        command, stdout=subprocess.PIPE, text=True, timeout=MAX_SECONDS_OF_A_PAGE * len(pages), check=True
    )
    return [Verdict(**json.loads(line)) for line in done.stdout.splitlines()]


def report_all() -> bool:
    """Print each page's scores, and what cost points; return whether all are 100."""
    verdicts = []
    for brand in BRANDS:
        for verdict in judge_brand(brand, [language.code for language in LANGUAGES]):
            scores = " ".join(str(score and round(score * 100)) for score in verdict.scores.values())
            print(brand, verdict.language, urlsplit(verdict.url).path, scores, *verdict.faults, flush=True)
            verdicts.append(verdict)
    print(f"{len(verdicts)} pages: {', '.join(CATEGORIES)}")
    return all(score == 1 for verdict in verdicts for score in verdict.scores.values())


if __name__ == "__main__":
    sys.exit(0 if report_all() else "NOT EVERY PAGE HAS 100 IN EVERYTHING")
