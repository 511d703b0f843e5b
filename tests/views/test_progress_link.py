"""The link of a registration: it shows the progress in any browser, and gives no access to the product."""

import os
import re

import pytest

from app import create_app
from app.models import Registration
from app.security import encryption
from app.services.signup import progress
from tests.support import factories
from tests.support.clock import time_passes
from tests.support.databases import on_sqlite
from tests.support.new_buyer import NewBuyer
from tests.support.stored_rows import all_rows

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


@pytest.mark.parametrize("link", ["nonsense", "gAAAAAB", "a.b.c", ".", "..", "%00.%00", "\N{SNOWMAN}.x.y"])
def test_invalid_progress_link_is_not_found(new_buyer: NewBuyer, link: str) -> None:
    assert new_buyer.client.get(f"/progress/{link}").status_code == 404


def test_progress_link_with_a_changed_character_is_not_found(new_buyer: NewBuyer) -> None:
    new_buyer.register()
    link = link_of(new_buyer)
    start = len("/progress/")

    for i in range(start, len(link)):
        changed = "A" if link[i] != "A" else "Q"
        assert new_buyer.client.get(f"{link[:i]}{changed}{link[i + 1 :]}").status_code == 404


def test_encrypted_progress_link_works_for_the_rest_of_its_time(new_buyer: NewBuyer) -> None:
    new_buyer.register()
    [registration] = all_rows(new_buyer.client.application, Registration)
    with new_buyer.client.application.app_context():
        link_part = encryption.cipher("progress link").encrypt(registration.id.bytes).decode()

    for encrypted_link in (f"/progress/{link_part}", f"/progress/{link_part.rstrip('=')}"):
        with time_passes(days=29, hours=23):
            assert "Juniper" in new_buyer.client.application.test_client().get(encrypted_link).text
        with time_passes(days=30, seconds=2):
            assert new_buyer.client.get(encrypted_link).status_code == 404


def test_progress_link_survives_key_rotation(environment: pytest.MonkeyPatch, new_buyer: NewBuyer) -> None:
    new_buyer.register()
    link = link_of(new_buyer)
    environment.setenv("SECRET_KEY_FALLBACKS", os.environ["SECRET_KEY"])
    environment.setenv("SECRET_KEY", "5b0f2c9d8e7a4163b2c5d8f1e4a70936")

    with factories.open_app(create_app()) as rotated:
        status = rotated.test_client().get(link).status_code
    environment.delenv("SECRET_KEY_FALLBACKS")
    with factories.open_app(create_app()) as without_old_key:
        status_later = without_old_key.test_client().get(link).status_code

    assert (status, status_later) == (200, 404)


def test_link_made_by_a_clock_seconds_ahead_works(new_buyer: NewBuyer) -> None:
    new_buyer.register()
    with time_passes(seconds=30):
        link = link_of(new_buyer)

    assert new_buyer.client.get(link).status_code == 200


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
