"""A failover: the primary goes away, and another server with its data takes over its address. Nothing is restarted."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path

import pytest
import requests
from sqlalchemy import create_engine, text

from sandbox.server import Sandbox
from tests.conftest import migrate
from tests.support import app_processes, factories
from tests.support.database_proxy import PostgresqlProxy
from tests.support.factories import ANSWERS, TOKEN_FIELD
from tests.support.handoff_receiver import HandoffReceiver
from tests.support.outbox_messages import register_customer
from tests.support.page_checks import csrf_token
from tests.support.postgresql_server import PostgresqlServer

MAX_SECONDS = 5.0
RECOVERY_SECONDS = 15.0
PROCESSES = 2
OTHER_PURCHASE = {
    "license_arn": "arn:aws:license-manager::294406891311:license:l-abcdef0123456789",
    "agreement_id": "agmt-another",
}
Buyer = tuple[requests.Session, dict[str, str]]


@contextmanager
def crashed(server: PostgresqlServer) -> Iterator[None]:
    """Its connections are closed, and new ones refused."""
    server.stop_immediately()
    try:
        yield
    finally:
        server.start()


def silent(server: PostgresqlServer) -> AbstractContextManager[None]:
    """Its machine is gone: connections stay open, and nothing is answered."""
    return server.stopped()


@pytest.fixture
def address(own_server: PostgresqlServer) -> Iterator[PostgresqlProxy]:
    """The address of the primary, which has Foyer's database."""
    url = own_server.create_database("failover")
    migrate(url)
    proxy = PostgresqlProxy(url)
    yield proxy
    proxy.close()
    own_server.execute("DROP DATABASE failover WITH (FORCE)")


@pytest.fixture
def settings(address: PostgresqlProxy, running_sandbox: Sandbox, product: HandoffReceiver) -> dict[str, str]:
    return factories.environment(address.url, running_sandbox.aws_url) | factories.handoff_environment(product.url)


def open_form(url: str, token: str, number: int) -> Buyer:
    browser = requests.Session()
    page = browser.post(url, data={TOKEN_FIELD: token}, timeout=30)
    return browser, {"csrf_token": csrf_token(page.text), **ANSWERS, "email": f"buyer{number}@gmail.com"}


def send(url: str, buyer: Buyer) -> int:
    """Return the status of the answer, which has to come in time."""
    browser, form = buyer
    started = time.monotonic()
    status = browser.post(f"{url}signup", data=form, timeout=30, allow_redirects=False).status_code
    assert time.monotonic() - started < MAX_SECONDS
    return status


def ask_for_readiness(url: str) -> int:
    return requests.get(f"{url}readyz", timeout=30).status_code


def repeat_while_unavailable(request: Callable[[], int]) -> list[int]:
    """Send a request again as a buyer does who presses the button again; return the statuses."""
    statuses, ends_at = [request()], time.monotonic() + RECOVERY_SECONDS
    while statuses[-1] == 503 and time.monotonic() < ends_at:
        statuses.append(request())
    return statuses


def stored_addresses(url: str) -> list[str]:
    engine = create_engine(factories.sqlalchemy_url(url))
    with engine.connect() as connection:
        addresses = connection.scalars(text("SELECT email FROM registrations ORDER BY email")).all()
    engine.dispose()
    return list(addresses)


@pytest.mark.parametrize("outage", [crashed, silent])
def test_buyers_register_on_the_server_that_took_over(
    own_server: PostgresqlServer,
    open_folder: Path,
    address: PostgresqlProxy,
    settings: dict[str, str],
    sandbox: Sandbox,
    outage: Callable[[PostgresqlServer], AbstractContextManager[None]],
) -> None:
    with app_processes.run_gunicorn(settings) as url:
        buyers = [open_form(url, factories.token(sandbox), number) for number in range(4)]
        before = [send(url, buyer) for buyer in buyers[:2]]
        with outage(own_server):
            meanwhile = [send(url, buyers[2]), ask_for_readiness(url)]
            with own_server.copy(open_folder / outage.__name__) as new_server:
                new_url = factories.replace_database_name(new_server.url, "failover")
                address.switch_to(new_url)
                afterwards = [repeat_while_unavailable(partial(send, url, buyer)) for buyer in buyers[2:]]
                afterwards.append(repeat_while_unavailable(partial(ask_for_readiness, url)))
                stored = stored_addresses(new_url)
    for browser, _ in buyers:
        browser.close()

    assert (before, meanwhile) == ([303, 303], [503, 503])
    assert [statuses[-1] for statuses in afterwards] == [303, 303, 200]
    # Each process finds out with one request that its connections lead nowhere.
    assert sum(map(len, afterwards)) <= len(afterwards) + PROCESSES
    assert stored == [f"buyer{number}@gmail.com" for number in range(4)]


def test_worker_goes_on_with_the_server_that_took_over(
    own_server: PostgresqlServer,
    open_folder: Path,
    address: PostgresqlProxy,
    settings: dict[str, str],
    product: HandoffReceiver,
) -> None:
    with factories.open_app_in(settings) as app, app_processes.run_worker(settings) as worker:
        register_customer(app, email="before@gmail.com")
        assert app_processes.wait_for_log_event(worker, "handoff.delivered")
        with crashed(own_server), own_server.copy(open_folder / "worker") as new_server:
            address.switch_to(factories.replace_database_name(new_server.url, "failover"))
            register_customer(app, OTHER_PURCHASE, email="after@gmail.com")
            assert app_processes.wait_for_log_event(worker, "handoff.delivered")

    addresses = [delivery["data"]["registration"]["email"] for delivery in product.deliveries]
    assert addresses == ["before@gmail.com", "after@gmail.com"]
