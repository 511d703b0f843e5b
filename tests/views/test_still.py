"""A page that looks again by itself stands still for who asks: each time, a screen reader begins at its top."""

from collections.abc import Iterator
from urllib.parse import urljoin

from flask.testing import FlaskClient
from justhtml import JustHTML
from werkzeug.test import TestResponse

from sandbox.faults import Faults
from sandbox.server import Sandbox
from tests import factories
from tests.databases import on_sqlite
from tests.views.buyers import Buyer, register, words
from tests.views.way import Newcomer, later

pytestmark = on_sqlite


def links(page: TestResponse) -> Iterator[tuple[str, str]]:
    for link in JustHTML(page.text, strict=True, sanitize=False).query("a[href]"):
        yield link.to_text().strip(), urljoin(page.request.path, (link.attrs or {})["href"] or "")


def stilled(client: FlaskClient, path: str = "/welcome") -> TestResponse:
    """Press what lets the page stand still, and what then looks again; return the page after both."""
    page = client.get(path)
    assert "Refresh" in page.headers
    still = client.get(dict(links(page))["Let it stand still"])
    assert "Refresh" not in still.headers
    return client.get(dict(links(still))["look again"])


def test_who_waits_for_aws_can_let_the_page_stand_still(buyer: Buyer) -> None:
    page = stilled(buyer.client)

    assert "Refresh" not in page.headers
    assert "it stands still until you do" in page.text


def test_who_waits_for_a_slow_aws_can_let_the_page_stand_still(client: FlaskClient, sandbox: Sandbox) -> None:
    sandbox.world.faults = Faults(aws_down=True)
    register(client, factories.token(sandbox))

    assert "Refresh" not in stilled(client).headers


def test_who_waits_for_the_account_can_let_the_page_stand_still_and_goes_in_by_hand(newcomer: Newcomer) -> None:
    newcomer.registers()

    waiting = stilled(newcomer.client)
    newcomer.is_handed_off(url="https://app.acme.example/t/juniper", reference="juniper-7f3k")
    ready = newcomer.client.get(dict(links(waiting))["look again"])

    assert "Refresh" not in waiting.headers
    assert "by itself" not in words(waiting.text)
    assert "Refresh" not in ready.headers
    assert dict(links(ready))["Open Acme Insights"] == "/enter"
    assert "opens in a moment" not in ready.text


def test_who_waits_by_a_link_can_let_the_page_stand_still(newcomer: Newcomer) -> None:
    newcomer.registers()
    newcomer.is_handed_off(503)

    with later(minutes=3):
        link = dict(links(newcomer.client.get("/welcome")))["the page of your registration"]
        page = stilled(newcomer.client.application.test_client(), link)

    assert page.request.path == link
    assert "Refresh" not in page.headers
