"""The runs in which gunicorn is stopped by SIGTERM: it has to answer every request under way."""

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

# Makes every sign-up wait: SQLite has one writer at a time, on PostgreSQL the table is locked.
LOCK_STATEMENTS = {"sqlite": "BEGIN IMMEDIATE", "postgresql": "LOCK TABLE registrations IN EXCLUSIVE MODE"}
AWS_SECONDS = 4


def stop_during_requests(run: RunEnvironment, buyers: int = 12) -> RegistrationReport:
    """Stop gunicorn while `buyers` submissions wait for the database, and as many landings for AWS."""
    log = SubmissionLog()
    with run.gunicorn() as gunicorn:
        signups = [_open_signup_form(Browser(gunicorn.port), create_purchase(run.sandbox)) for _ in range(buyers)]
        landings = [_connect_for_landing(Browser(gunicorn.port), create_purchase(run.sandbox)) for _ in range(buyers)]
        log.purchases = [purchase for _, purchase in signups]
        with _slow_aws(run.sandbox), _locked_writers(run.database_url):
            for browser, purchase in signups:
                browser.send("POST", "/signup", purchase.new_submission(unique_answers(), purchase.csrf_token)[1])
            for browser, purchase in landings:
                browser.send("POST", "/", {factories.TOKEN_FIELD: purchase.token})
            gunicorn.terminate()
            gunicorn.wait_until_draining()
        for browser, purchase in signups:
            log.acknowledged += purchase.submissions[0].record_response(_receive_response(browser, log))
        for browser, _ in landings:
            _receive_response(browser, log)
        assert gunicorn.wait_for_exit() == 0
    return run.build_report("stopped with requests under way", log)


def stop_under_load(run: RunEnvironment, length: RunLength) -> RegistrationReport:
    """Stop gunicorn under load and start it again, in each round; report only cuts of requests under way at a stop."""
    stopped_at: list[float] = []
    with run.gunicorn() as gunicorn, BuyerLoad(gunicorn.port, run.sandbox) as load:

        def stop() -> None:
            stopped_at.append(gunicorn.terminate())

        def restart() -> None:
            assert gunicorn.wait_for_exit() == 0
            gunicorn.start()

        recoveries = kill_in_rotation(load, length, [(stop, restart)])
    load.submission_log.filter_cuts(stopped_at)
    return run.build_report("stopped under load", load.submission_log, recoveries)


def _connect_for_landing(browser: Browser, purchase: PurchaseSubmissions) -> tuple[Browser, PurchaseSubmissions]:
    # The page before the POST makes a worker accept the connection; one not accepted would wait for the next gunicorn.
    browser.get("/")
    return browser, purchase


def _open_signup_form(browser: Browser, purchase: PurchaseSubmissions) -> tuple[Browser, PurchaseSubmissions]:
    browser.post("/", {factories.TOKEN_FIELD: purchase.token})
    field = CSRF_FIELD.search(browser.get("/signup").page)
    assert field
    purchase.csrf_token = field[1]
    return browser, purchase


def _receive_response(browser: Browser, log: SubmissionLog) -> PageResponse | None:
    response = None
    with closing(browser), suppress(ConnectionCut):
        response = browser.receive()
    if response is None:
        log.cut_requests.append((browser.sent_at, time.monotonic()))
    elif response.status != 303:
        log.wrong_responses[f"{response.status} {response.location}"] += 1
    return response


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
