"""The drain: gunicorn is asked to stop while requests are under way, and each of them has to be answered."""

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress

from sqlalchemy import create_engine

from sandbox.faults import Faults
from sandbox.server import Sandbox
from tests import factories
from tests.endurance.browser import Answer, Browser, Cut
from tests.endurance.count import Report
from tests.endurance.ledger import Bought, Ledger, buy, new_answers
from tests.endurance.load import FORM_SECRET, Load
from tests.endurance.runs import Length, Stage, strike_by_turns

# Keeps every sign-up waiting: SQLite has one writer at a time, PostgreSQL locks the table.
HOLD = {"sqlite": "BEGIN IMMEDIATE", "postgresql": "LOCK TABLE registrations IN EXCLUSIVE MODE"}
AWS_SECONDS = 4


def under_way(stage: Stage, buyers: int = 12) -> Report:
    """Stop gunicorn while so many submits wait for the database, and as many landings for AWS."""
    ledger = Ledger()
    with stage.gunicorn() as gunicorn:
        forms = [_at_the_form(Browser(gunicorn.port), buy(stage.sandbox)) for _ in range(buyers)]
        doors = [_at_the_door(Browser(gunicorn.port), buy(stage.sandbox)) for _ in range(buyers)]
        ledger.purchases = [bought for _, bought in forms]
        with _aws_slow(stage.sandbox), _writers_held(stage.database_url):
            for browser, bought in forms:
                browser.send("POST", "/signup", bought.send(new_answers())[1])
            for browser, bought in doors:
                browser.send("POST", "/", {factories.TOKEN: bought.token})
            gunicorn.terminate()
            gunicorn.await_draining()
        for browser, bought in forms:
            ledger.acknowledged += bought.submits[0].end(_received(browser, ledger))
        for browser, _ in doors:
            _received(browser, ledger)
        assert gunicorn.await_end() == 0
    return stage.report("stopped with requests under way", ledger)


def under_load(stage: Stage, length: Length) -> Report:
    """Stop gunicorn under load and start it again, round after round; cut are requests under way at a stop."""
    moments: list[float] = []
    with stage.gunicorn() as gunicorn, Load(gunicorn.port, stage.sandbox) as load:

        def stop() -> None:
            moments.append(gunicorn.terminate())

        def restart() -> None:
            assert gunicorn.await_end() == 0
            gunicorn.start()

        recoveries = strike_by_turns(load, length, [(stop, restart)])
    load.ledger.keep_cuts_at(moments)
    return stage.report("stopped under load", load.ledger, recoveries)


def _at_the_door(browser: Browser, bought: Bought) -> tuple[Browser, Bought]:
    # A connection that no worker has taken yet is not under way: it waits for the next gunicorn.
    browser.get("/")
    return browser, bought


def _at_the_form(browser: Browser, bought: Bought) -> tuple[Browser, Bought]:
    browser.post("/", {factories.TOKEN: bought.token})
    found = FORM_SECRET.search(browser.get("/signup").page)
    assert found
    bought.form_secret = found[1]
    return browser, bought


def _received(browser: Browser, ledger: Ledger) -> Answer | None:
    answer = None
    with closing(browser), suppress(Cut):
        answer = browser.receive()
    if answer is None:
        ledger.cuts.append((browser.sent, time.monotonic()))
    elif answer.status != 303:
        ledger.wrong[f"{answer.status} {answer.location}"] += 1
    return answer


@contextmanager
def _aws_slow(sandbox: Sandbox) -> Iterator[None]:
    sandbox.world.faults = Faults(slow=AWS_SECONDS)
    try:
        yield
    finally:
        sandbox.world.faults = Faults()


@contextmanager
def _writers_held(database_url: str) -> Iterator[None]:
    engine = create_engine(factories.sqlalchemy_url(database_url))
    with engine.connect() as connection:
        connection.exec_driver_sql(HOLD[engine.dialect.name])
        yield
    engine.dispose()
