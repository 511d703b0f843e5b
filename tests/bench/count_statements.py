"""Registers two buyers in this process, and prints what each page of the second one executed.

A program of its own, run in the folder and the environment of the revision that it counts. It prints JSON: for each
page, its statements and its transactions.
"""

import json
import os
import re
from collections import Counter

from sqlalchemy import event
from sqlalchemy.engine import Engine

from wsgi import app

CSRF_TOKEN = re.compile(r'name="csrf_token"[^>]* value="([^"]+)"')


def main() -> None:
    """Print the counts; AssertionError where a response is wrong."""
    counts: Counter[str] = Counter()
    event.listen(Engine, "begin", lambda _: counts.update(["transactions"]))
    event.listen(Engine, "before_cursor_execute", lambda *details: counts.update(_kind(details[2])))
    # The first buyer's requests also open connections and fill caches.
    register(counts)
    print(json.dumps(register(counts)))


def register(counts: Counter[str]) -> dict[str, dict[str, int]]:
    """Return the counts of each page."""
    browser, pages = app.test_client(), {}

    def open_page(name: str, method: str, path: str, status: int, **fields: str) -> str:
        counts.clear()
        response = browser.open(path, method=method, data=fields)
        assert response.status_code == status, f"{name}: {response.status}"
        pages[name] = dict(counts)
        return response.text

    open_page("landing", "POST", "/", 303, **{"x-amzn-marketplace-token": f"0000{os.urandom(90).hex()}"})
    csrf_token = CSRF_TOKEN.search(open_page("form", "GET", "/signup", 200))
    answers = json.loads(os.environ["ANSWERS"])
    open_page("submit", "POST", "/signup", 303, **answers, csrf_token=csrf_token[1] if csrf_token else "")
    open_page("welcome", "GET", "/welcome", 200)
    return pages


def _kind(statement: str) -> list[str]:
    """A transaction begins with a statement on SQLite only."""
    return [] if statement.startswith("BEGIN") else ["statements"]


if __name__ == "__main__":
    main()
