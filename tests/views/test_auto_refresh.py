"""A page that looks again by itself stands still for who asks: each time, a screen reader begins at its top."""

from collections.abc import Iterator
from urllib.parse import urljoin

from flask.testing import FlaskClient
from justhtml import JustHTML
from werkzeug.test import TestResponse

from sandbox.faults import Faults
from sandbox.server import Sandbox
from tests.support import factories
from tests.support.databases import on_sqlite
from tests.support.new_buyer import NewBuyer, time_passes
from tests.support.registered_buyer import RegisteredBuyer, land_and_register, visible_text

pytestmark = on_sqlite


def links(page: TestResponse) -> Iterator[tuple[str, str]]:
    for link in JustHTML(page.text, strict=True, sanitize=False).query("a[href]"):
        yield link.to_text().strip(), urljoin(page.request.path, (link.attrs or {})["href"] or "")


def stilled(client: FlaskClient, path: str = "/welcome") -> TestResponse:
    """Press what lets the page stand still, and what then looks again; return the page after both."""
    page = client.get(path)
    assert "Refresh" in page.headers
    still = client.get(dict(links(page))["Stop refreshing"])
    assert "Refresh" not in still.headers
    return client.get(dict(links(still))["check again"])


def test_refresh_can_be_stopped_while_waiting_for_aws(registered_buyer: RegisteredBuyer) -> None:
    page = stilled(registered_buyer.client)

    assert "Refresh" not in page.headers
    assert "It does not refresh by itself" in page.text


def test_refresh_can_be_stopped_with_pending_token(client: FlaskClient, sandbox: Sandbox) -> None:
    sandbox.marketplace.faults = Faults(aws_down=True)
    land_and_register(client, factories.token(sandbox))

    assert "Refresh" not in stilled(client).headers


def test_refresh_can_be_stopped_while_account_is_set_up(new_buyer: NewBuyer) -> None:
    new_buyer.register()

    waiting = stilled(new_buyer.client)
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
        page = stilled(new_buyer.client.application.test_client(), link)

    assert page.request.path == link
    assert "Refresh" not in page.headers
