"""The drain: gunicorn is asked to stop while requests are under way, and each of them has to be answered."""

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress

from sqlalchemy import create_engine

from sandbox.faults import Faults
from sandbox.server import Sandbox
from tests.endurance.browser import Browser, ConnectionCut, PageResponse
from tests.endurance.buyer_load import CSRF_FIELD, BuyerLoad
from tests.endurance.kill_runs import RunEnvironment, RunLength, kill_in_rotation
from tests.endurance.registration_report import RegistrationReport
from tests.endurance.submissions import PurchaseSubmissions, SubmissionLog, create_purchase, unique_answers
from tests.support import factories

# Keeps every sign-up waiting: SQLite has one writer at a time, PostgreSQL locks the table.
LOCK_STATEMENTS = {"sqlite": "BEGIN IMMEDIATE", "postgresql": "LOCK TABLE registrations IN EXCLUSIVE MODE"}
AWS_SECONDS = 4


def stop_during_requests(stage: RunEnvironment, buyers: int = 12) -> RegistrationReport:
    """Stop gunicorn while so many submits wait for the database, and as many landings for AWS."""
    ledger = SubmissionLog()
    with stage.gunicorn() as gunicorn:
        forms = [_open_signup_form(Browser(gunicorn.port), create_purchase(stage.sandbox)) for _ in range(buyers)]
        doors = [_connect_for_landing(Browser(gunicorn.port), create_purchase(stage.sandbox)) for _ in range(buyers)]
        ledger.purchases = [bought for _, bought in forms]
        with _slow_aws(stage.sandbox), _locked_writers(stage.database_url):
            for browser, bought in forms:
                browser.send("POST", "/signup", bought.new_submission(unique_answers())[1])
            for browser, bought in doors:
                browser.send("POST", "/", {factories.TOKEN_FIELD: bought.token})
            gunicorn.terminate()
            gunicorn.wait_until_draining()
        for browser, bought in forms:
            ledger.acknowledged += bought.submissions[0].record_response(_receive_response(browser, ledger))
        for browser, _ in doors:
            _receive_response(browser, ledger)
        assert gunicorn.wait_for_exit() == 0
    return stage.build_report("stopped with requests under way", ledger)


def stop_under_load(stage: RunEnvironment, length: RunLength) -> RegistrationReport:
    """Stop gunicorn under load and start it again, round after round; cut are requests under way at a stop."""
    moments: list[float] = []
    with stage.gunicorn() as gunicorn, BuyerLoad(gunicorn.port, stage.sandbox) as load:

        def stop() -> None:
            moments.append(gunicorn.terminate())

        def restart() -> None:
            assert gunicorn.wait_for_exit() == 0
            gunicorn.start()

        recoveries = kill_in_rotation(load, length, [(stop, restart)])
    load.submission_log.filter_cuts(moments)
    return stage.build_report("stopped under load", load.submission_log, recoveries)


def _connect_for_landing(browser: Browser, bought: PurchaseSubmissions) -> tuple[Browser, PurchaseSubmissions]:
    # A connection that no worker has taken yet is not under way: it waits for the next gunicorn.
    browser.get("/")
    return browser, bought


def _open_signup_form(browser: Browser, bought: PurchaseSubmissions) -> tuple[Browser, PurchaseSubmissions]:
    browser.post("/", {factories.TOKEN_FIELD: bought.token})
    found = CSRF_FIELD.search(browser.get("/signup").page)
    assert found
    bought.csrf_token = found[1]
    return browser, bought


def _receive_response(browser: Browser, ledger: SubmissionLog) -> PageResponse | None:
    answer = None
    with closing(browser), suppress(ConnectionCut):
        answer = browser.receive()
    if answer is None:
        ledger.cut_requests.append((browser.sent_at, time.monotonic()))
    elif answer.status != 303:
        ledger.wrong_responses[f"{answer.status} {answer.location}"] += 1
    return answer


@contextmanager
def _slow_aws(sandbox: Sandbox) -> Iterator[None]:
    sandbox.marketplace.faults = Faults(slow=AWS_SECONDS)
    try:
        yield
    finally:
        sandbox.marketplace.faults = Faults()


@contextmanager
def _locked_writers(database_url: str) -> Iterator[None]:
    engine = create_engine(factories.sqlalchemy_url(database_url))
    with engine.connect() as connection:
        connection.exec_driver_sql(LOCK_STATEMENTS[engine.dialect.name])
        yield
    engine.dispose()
