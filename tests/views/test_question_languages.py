"""A product's own questions and brand in the language of the page."""

import re
from collections.abc import Callable
from html import unescape
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from werkzeug.datastructures import MultiDict

from app.models import OutboxMessage
from sandbox.purchases import Purchase
from sandbox.server import Sandbox
from tests.support import factories, pictures
from tests.support.asked_questions import FIELDS, FORM, QUESTIONS
from tests.support.databases import on_sqlite
from tests.support.factories import UNREACHABLE_URL
from tests.support.page_checks import csrf_token
from tests.support.stored_rows import all_rows
from tests.views.outages import browser_without_database
from tests.views.question_forms import land, send, stored

pytestmark = on_sqlite
OpenClient = Callable[..., FlaskClient]


def speak(client: FlaskClient, code: str) -> FlaskClient:
    """Choose the language of the browser."""
    client.post("/language", data={"language": code})
    return client


def test_questions_are_asked_in_the_pages_language_and_else_in_english(
    open_client: OpenClient, sandbox: Sandbox, purchase: Purchase
) -> None:
    client = speak(open_client(), "de")
    page = land(client, sandbox, purchase)

    wrong = send(client, page, q_seats="0", q_land="ZZ").text

    assert "Teamname" in page
    assert "Team name" not in page
    assert "Billing contact" in page
    assert '<option value="">Bitte auswählen</option>' in page
    assert '<option value="DE">Deutschland</option>' in page
    assert page.index(">Ägypten<") < page.index(">Belgien<")
    assert '<a href="#q_seats">„Seats“: Geben Sie eine Zahl von mindestens 1 ein.</a>' in wrong
    assert '<a href="#q_land">„Country“: Wählen Sie ein Land aus.</a>' in wrong


def test_stored_and_handed_off_is_what_the_buyer_saw(
    environment: pytest.MonkeyPatch, open_client: OpenClient, sandbox: Sandbox, purchase: Purchase
) -> None:
    factories.enable_handoffs(environment, UNREACHABLE_URL)
    client = speak(open_client(handoff_url=UNREACHABLE_URL), "de")

    assert send(client, land(client, sandbox, purchase), account="new").status_code == 303

    answers = stored(client.application)
    assert (answers["team"]["label"], answers["seats"]["label"]) == ("Teamname", "Seats")
    assert [answers[name]["text"] for name in ("news", "land", "seats")] == ["Zugestimmt", "Japan", "12,50"]
    [handoff] = [row.payload for row in all_rows(client.application, OutboxMessage) if row.payload]
    assert handoff["data"]["registration"]["language"] == "de"
    assert handoff["data"]["registration"]["answers"] == list(answers.values())


def test_limits_of_a_number_have_the_decimal_mark_of_the_language(
    open_client: OpenClient, sandbox: Sandbox, purchase: Purchase
) -> None:
    limited = {"id": "share", "type": "number", "label": "Share", "min": 1.5, "max": 12000.5}
    client = speak(open_client([limited]), "de")
    page = land(client, sandbox, purchase)

    too_little, too_much = (send(client, page, q_share=typed).text for typed in ("1,4", "12000,6"))

    assert "Geben Sie eine Zahl von mindestens 1,5 ein." in too_little
    assert "Geben Sie eine Zahl von höchstens 12000,5 ein." in too_much


@pytest.mark.parametrize(("least", "shown"), [(0.125, "0,1250"), (1.125, "1,1250")])
def test_limit_that_is_shown_is_accepted(
    open_client: OpenClient, sandbox: Sandbox, purchase: Purchase, least: float, shown: str
) -> None:
    client = speak(open_client([{"id": "share", "type": "number", "label": "Share", "min": least}]), "de")
    page = land(client, sandbox, purchase)

    assert f"mindestens {shown} ein." in send(client, page, q_share="0,1").text
    assert send(client, page, q_share=shown).status_code == 303


def test_decimals_of_a_number_below_one_are_no_thousands(
    open_client: OpenClient, sandbox: Sandbox, purchase: Purchase
) -> None:
    client = open_client([{"id": "share", "type": "number", "label": "Share"}])

    assert send(client, land(client, sandbox, purchase), q_share="0,125").status_code == 303

    assert stored(client.application)["share"]["value"] == "0.125"


@pytest.mark.parametrize("way", ["/signup", "/signup?change="])
def test_answers_to_questions_stay_when_the_language_is_switched(
    open_client: OpenClient, sandbox: Sandbox, purchase: Purchase, way: str
) -> None:
    client = open_client()
    page = land(client, sandbox, purchase)
    if "change" in way:
        send(client, page, q_team="Other", q_tools=["t"])
        page = client.get(way).text
    [switch] = set(re.findall('formaction="([^"]*)"', page))

    back = client.post(switch, data={**FORM, "csrf_token": csrf_token(page), "language": "ja"})

    again = client.get(back.location).text
    assert '<html lang="ja"' in again
    assert 'value="Quill &amp; Feather"' in again
    assert "\nFirst line\nsecond line</textarea>" in again
    assert re.findall(r'name="q_tools"\s+value="(\w)" checked', again) == ["s", "m"]
    assert re.search(r'id="q_news"[^>]* checked', again)
    assert '<option value="JP" selected>日本</option>' in again


def test_error_page_in_another_language_still_has_every_answer(
    environment: pytest.MonkeyPatch, open_client: OpenClient, sandbox: Sandbox, purchase: Purchase
) -> None:
    client = open_client()
    page = land(client, sandbox, purchase)
    with browser_without_database(environment, client) as browser:
        failed = browser.post("/signup", data={**FORM, "csrf_token": csrf_token(page)}).text
        fields = MultiDict([*hidden_fields(failed), ("language", "ko")])
        [switch] = set(re.findall('formaction="([^"]*)"', failed))

        back = browser.post(unescape(switch), data=fields)
        again = browser.post(back.location, data=fields)

    assert (back.status_code, again.status_code) == (307, 503)
    assert '<html lang="ko"' in again.text
    assert hidden_fields(again.text) == hidden_fields(failed)
    assert set(FIELDS) <= {name for name, _ in hidden_fields(failed)}


def hidden_fields(page: str) -> list[tuple[str, str]]:
    """The fields that the page's button sends again."""
    return [
        (name, unescape(value)) for name, value in re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', page)
    ]


def test_own_words_are_isolated_where_a_page_runs_from_right_to_left(
    open_client: OpenClient, sandbox: Sandbox, purchase: Purchase
) -> None:
    client = speak(open_client(), "ar")
    page = land(client, sandbox, purchase)

    wrong = send(client, page, q_plan="").text

    assert "<bdi>Slack</bdi>" in page
    assert "<bdi>Why us?</bdi>" in page
    assert "<bdi>As on your door.</bdi>" in page
    assert "اختر إجابة عن «\u2068Plan\u2069»." in wrong


def test_products_own_texts_replace_messages_of_questions(
    open_client: OpenClient, sandbox: Sandbox, purchase: Purchase
) -> None:
    texts = {"de": {'"Answer “%(label)s”."': "%(label)s fehlt noch."}}
    client = speak(open_client(QUESTIONS, texts=texts), "de")

    assert "Seats fehlt noch." in send(client, land(client, sandbox, purchase), q_seats="").text


def test_links_of_the_brand_are_in_the_pages_language(
    open_client: OpenClient, sandbox: Sandbox, purchase: Purchase, tmp_path: Path
) -> None:
    (tmp_path / "logo.svg").write_bytes(pictures.LOGO_SVG)
    address = "https://acme.example/x"
    brand = {"logo": "logo.svg", "privacy_url": address, "terms_url": address}
    client = speak(open_client(QUESTIONS, brand=brand), "fr")

    page = land(client, sandbox, purchase)

    assert f'<a href="{address}">Politique de confidentialité</a>' in page
    assert (
        f'En vous inscrivant, vous acceptez les <a href="{address}" target="_blank">conditions d’utilisation</a>. La <a'
        in page
    )
