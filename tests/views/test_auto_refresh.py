"""Automatic refresh: it slows down, and the buyer can stop it, as it sends a screen reader back to the top."""

from collections.abc import Iterator
from datetime import timedelta
from urllib.parse import urljoin

import pytest
import time_machine
from flask.testing import FlaskClient
from justhtml import JustHTML
from werkzeug.test import TestResponse

from sandbox.faults import Faults
from sandbox.server import Sandbox
from tests.support import factories
from tests.support.clock import time_passes
from tests.support.databases import on_sqlite
from tests.support.new_buyer import NewBuyer
from tests.support.registered_buyer import RegisteredBuyer, land_and_register, visible_text

pytestmark = on_sqlite
WAITING = "We are waiting for AWS Marketplace to confirm your subscription."


def links(page: TestResponse) -> Iterator[tuple[str, str]]:
    for link in JustHTML(page.text, strict=True, sanitize=False).query("a[href]"):
        yield link.to_text().strip(), urljoin(page.request.path, (link.attrs or {})["href"] or "")


def stop_refreshing(client: FlaskClient, path: str = "/welcome") -> TestResponse:
    """Follow the link that stops the refresh and then the one that checks again; return that page."""
    page = client.get(path)
    assert "Refresh" in page.headers
    stopped = client.get(dict(links(page))["Stop refreshing"])
    assert "Refresh" not in stopped.headers
    return client.get(dict(links(stopped))["check again"])


def test_refresh_can_be_stopped_while_waiting_for_aws(registered_buyer: RegisteredBuyer) -> None:
    page = stop_refreshing(registered_buyer.client)

    assert "Refresh" not in page.headers
    assert "It does not refresh by itself" in page.text


def test_refresh_can_be_stopped_with_pending_token(client: FlaskClient, sandbox: Sandbox) -> None:
    sandbox.marketplace.faults = Faults(aws_down=True)
    land_and_register(client, factories.token(sandbox))

    assert "Refresh" not in stop_refreshing(client).headers


def test_refresh_can_be_stopped_while_account_is_set_up(new_buyer: NewBuyer) -> None:
    new_buyer.register()

    waiting = stop_refreshing(new_buyer.client)
    new_buyer.deliver_handoffs(url="https://app.acme.example/t/juniper", reference="juniper-7f3k")
    ready = new_buyer.client.get(dict(links(waiting))["check again"])

    assert "Refresh" not in waiting.headers
    assert "by itself" not in visible_text(waiting.text)
    assert "Refresh" not in ready.headers
    assert dict(links(ready))["Open Acme Insights"] == "/enter"
    assert "opens in a moment" not in ready.text


def test_refresh_can_be_stopped_on_progress_page(new_buyer: NewBuyer) -> None:
    new_buyer.register()
    new_buyer.deliver_handoffs(503)

    with time_passes(minutes=3):
        link = dict(links(new_buyer.client.get("/welcome")))["your registration page"]
        page = stop_refreshing(new_buyer.client.application.test_client(), link)

    assert page.request.path == link
    assert "Refresh" not in page.headers


def test_page_first_looks_for_the_account_after_a_second(clock: time_machine.Traveller, new_buyer: NewBuyer) -> None:
    new_buyer.register()

    headers = []
    for seconds in (0, 1, 2, 17, 1):
        clock.shift(timedelta(seconds=seconds))
        headers.append(new_buyer.refresh_header())

    assert headers == [f"{seconds}; url=/welcome" for seconds in (1, 1, 2, 5, 5)]


@pytest.mark.parametrize(("hours", "seconds"), [(0, "5"), (0.16, "5"), (0.17, "60"), (22.9, "60"), (23, None)])
def test_page_waiting_for_aws_refreshes_ever_less_often(
    clock: time_machine.Traveller, registered_buyer: RegisteredBuyer, hours: float, seconds: str | None
) -> None:
    clock.shift(timedelta(hours=hours))

    page = registered_buyer.welcome_text()

    assert WAITING in page
    assert "You do not need to do anything." in page
    assert "If it takes longer than an hour, email help@acme.example" in page
    assert registered_buyer.refresh_seconds == seconds
    assert ("it refreshes by itself" in page) is bool(seconds)
    assert ("refreshes by itself: check again." in page) is (seconds is None)


def test_page_with_pending_token_refreshes_less_often_later(
    clock: time_machine.Traveller, client: FlaskClient, sandbox: Sandbox
) -> None:
    sandbox.marketplace.faults = Faults(aws_down=True)
    land_and_register(client, factories.token(sandbox))

    young = client.get("/welcome")
    clock.shift(timedelta(minutes=10))
    older = client.get("/welcome")

    assert "We have your registration" in older.text
    assert [young.headers["Refresh"], older.headers["Refresh"]] == ["5; url=/welcome", "60; url=/welcome"]
