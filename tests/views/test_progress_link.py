"""The link of a registration: it shows the progress in any browser, and gives no access to the product."""

import re

import pytest

from app.services.signup import progress
from tests.support.clock import time_passes
from tests.support.databases import on_sqlite
from tests.support.new_buyer import NewBuyer

pytestmark = on_sqlite
URL = "https://app.acme.example/t/juniper"


def link_of(buyer: NewBuyer) -> str:
    [link] = re.findall(r'href="(/progress/[^"]+)"', buyer.client.get("/welcome").text)
    return str(link)


def test_progress_link_shows_account_without_access(new_buyer: NewBuyer) -> None:
    new_buyer.register()
    link = link_of(new_buyer)
    new_buyer.deliver_handoffs(url=URL, reference="juniper-1")

    page = new_buyer.client.application.test_client().get(link).text

    assert "juniper-1" in page
    assert "https://app.acme.example/login" in page
    assert progress.QUERY_PARAMETER not in page
    assert "/enter" not in page


@pytest.mark.parametrize("link", ["/progress/nonsense", "/progress/gAAAAAB"])
def test_invalid_progress_link_is_not_found(new_buyer: NewBuyer, link: str) -> None:
    assert new_buyer.client.get(link).status_code == 404


def test_progress_link_expires_after_thirty_days(new_buyer: NewBuyer) -> None:
    new_buyer.register()
    link = link_of(new_buyer)

    with time_passes(days=29, hours=23):
        assert new_buyer.client.get(link).status_code == 200
    with time_passes(days=30, seconds=2):
        assert new_buyer.client.get(link).status_code == 404


def test_progress_page_links_to_itself_without_renewal(new_buyer: NewBuyer) -> None:
    new_buyer.register()
    new_buyer.deliver_handoffs(503)
    link = link_of(new_buyer)
    other_browser = new_buyer.client.application.test_client()

    with time_passes(hours=24):
        page = other_browser.get(link).text

    assert f'<a href="{link}">check again</a>' in page
    assert set(re.findall(r'href="(/progress/[^"]+)"', page)) == {link}


def test_progress_page_does_not_say_we_take_the_buyer_there(new_buyer: NewBuyer) -> None:
    new_buyer.register()

    page = new_buyer.client.application.test_client().get(link_of(new_buyer)).text

    assert "We will take you there" not in page
    assert "This page will tell you when it is ready" in page
