"""The language of the pages: chosen by the switch, else by the browser's header, and kept with the registration."""

import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app import create_app
from app.models import Invitation, OutboxMessage, Registration
from sandbox.server import Sandbox
from tests.support import factories
from tests.support.databases import on_sqlite
from tests.support.factories import ANSWERS, TOKEN_FIELD
from tests.support.page_checks import csrf_token
from tests.support.stored_rows import all_rows

pytestmark = on_sqlite
GERMAN = {"Accept-Language": "de-AT,de;q=0.9,en;q=0.5"}


def switch(client: FlaskClient, code: str, way: str = "/language?next=/", **sent: object) -> TestResponse:
    return client.post(way, data={"language": code}, **sent)


def lang_of(page: TestResponse) -> str:
    """The code and the direction of the page's <html>."""
    [attributes] = re.findall('<html lang="([^"]+)" dir="[lr]t[lr]">', page.text)
    return str(attributes)


def test_browsers_header_chooses_the_language_and_varies_the_answer(client: FlaskClient) -> None:
    page = client.get("/", headers=GERMAN)

    assert lang_of(page) == "de"
    assert "Willkommen bei Acme Insights" in page.text
    assert "<title>\nIhr Konto einrichten – Acme Insights" in page.text
    assert "Accept-Language" in page.headers["Vary"]


@pytest.mark.parametrize("path", ["/", "/nowhere", "/signup", "/invitation/none", "/resume/none"])
def test_switch_is_on_every_page_and_outlasts_the_header(client: FlaskClient, path: str) -> None:
    page = client.get(path, headers=GERMAN)
    [way] = re.findall('action="(/language[^"]*)"', page.text)

    back = switch(client, "ar", way)

    assert (back.status_code, back.location) == (303, path)
    assert re.findall('value="[^"]+" lang="([^"]+)"', page.text) == [
        "en",
        "es",
        "fr",
        "pt-BR",
        "ar",
        "ja",
        "ko",
        "zh-CN",
    ]
    assert '<span aria-current="true" lang="de" dir="ltr">Deutsch</span>' in page.text
    assert '<html lang="ar" dir="rtl">' in client.get(path, headers=GERMAN).text


def test_choice_outlives_the_landing_and_answers_typed_stay(buyer_client: FlaskClient, sandbox: Sandbox) -> None:
    form = buyer_client.get("/signup")
    [way] = set(re.findall('formaction="([^"]*)"', form.text))
    typed = {"csrf_token": csrf_token(form.text), "company": "Юникс & <b>", "notes": "%(x)s {y}"}

    back = buyer_client.post(way, data={**typed, "language": "de"})

    assert (back.status_code, back.location) == (303, "/signup")
    page = buyer_client.get("/signup").text
    assert 'value="Юникс &amp; &lt;b&gt;"' in page
    assert "%(x)s {y}</textarea>" in page
    assert "Für Acme Insights registrieren" in page
    buyer_client.post("/", data={TOKEN_FIELD: factories.token(sandbox)})
    assert lang_of(buyer_client.get("/signup")) == "de"


def test_enter_in_the_form_does_not_switch_the_language(buyer_client: FlaskClient) -> None:
    page = buyer_client.get("/signup").text

    buttons = re.findall("<button[^>]*>", page)
    assert "name=" not in buttons[0]
    assert page.index("formaction") > page.index("</form>")


def test_changed_answers_stay_when_the_language_is_switched(buyer_client: FlaskClient) -> None:
    form = csrf_token(buyer_client.get("/signup").text)
    buyer_client.post("/signup", data={**ANSWERS, "csrf_token": form})
    page = buyer_client.get("/signup?change").text
    [way] = set(re.findall('formaction="([^"]*)"', page))

    back = buyer_client.post(
        way, data={**ANSWERS, "company": "Other", "csrf_token": csrf_token(page), "language": "de"}
    )

    assert back.location == "/signup?change"
    assert 'value="Other"' in buyer_client.get(back.location).text


@pytest.mark.parametrize(
    ("address", "location"),
    [
        ("//evil.example/x", "/evil.example/x"),
        ("https://evil.example", "/https%3A//evil.example"),
        ("/\\evil.example", "/%5Cevil.example"),
        ("\r\nSet-Cookie: a=b", "/%0D%0ASet-Cookie%3A%20a=b"),
        ("/signup?change&next=//evil", "/signup?change"),
        ("/language", "/"),
        ("/" + "x" * 600, "/"),
        ("", "/"),
    ],
)
def test_way_back_is_never_to_another_site(client: FlaskClient, address: str, location: str) -> None:
    back = client.post("/language", query_string={"next": address}, data={"language": "de"})

    assert back.location == location


@pytest.mark.parametrize(
    "headers", [{"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}, {"Origin": "null"}]
)
def test_other_sites_change_neither_language_nor_session(client: FlaskClient, headers: dict[str, str]) -> None:
    answer = switch(client, "de", headers=headers)

    assert "Set-Cookie" not in answer.headers
    assert lang_of(client.get("/")) == "en"


@pytest.mark.parametrize("code", ["xx", "", "EN", "de_DE", "zh_CN"])
def test_unknown_language_is_ignored(client: FlaskClient, code: str) -> None:
    assert switch(client, code).location == "/"
    assert lang_of(client.get("/")) == "en"


def test_error_page_of_a_landing_comes_again_in_the_language(client: FlaskClient, sandbox: Sandbox) -> None:
    token = factories.token(sandbox)
    sandbox.marketplace.change_faults(access_denied=True)
    failed = client.post("/", data={TOKEN_FIELD: token})
    [way] = set(re.findall('formaction="([^"]*)"', failed.text))

    again = client.post(unescape(way), data={TOKEN_FIELD: token, "language": "de"})

    assert (again.status_code, again.location) == (307, "/")
    page = client.post(again.location, data={TOKEN_FIELD: token, "language": "de"})
    assert (page.status_code, lang_of(page)) == (500, "de")
    assert "Bei uns ist leider ein Fehler aufgetreten" in page.text


def test_validation_messages_are_in_the_language(buyer_client: FlaskClient) -> None:
    form = csrf_token(buyer_client.get("/signup").text)

    page = buyer_client.post("/signup", data={"csrf_token": form, "phone": "0" * 51}, headers=GERMAN).text

    assert "Geben Sie den Namen Ihrer Firma ein." in page
    assert "Kürzen Sie das auf höchstens 50 Zeichen." in page
    assert "Fehler: Registrieren – Acme Insights" in page


def test_language_goes_to_the_product_and_into_the_mails(environment: pytest.MonkeyPatch, sandbox: Sandbox) -> None:
    factories.enable_handoffs_and_mail(environment)
    with factories.open_app(create_app()) as app:
        client = app.test_client()
        client.post("/", data={TOKEN_FIELD: factories.token(sandbox)})
        switch(client, "pt-BR")
        client.post("/signup", data={**ANSWERS, "csrf_token": csrf_token(client.get("/signup").text)})

        [registration] = all_rows(app, Registration)
        handoffs = [message for message in all_rows(app, OutboxMessage) if message.sequence]

    assert registration.language == "pt-BR"
    assert [handoff.payload["data"]["registration"]["language"] for handoff in handoffs] == ["pt-BR"]


def test_invitation_is_in_the_inviters_language(mail_client: FlaskClient) -> None:
    page = mail_client.get("/invite", headers=GERMAN).text

    mail_client.post("/invite", data={"email": "bob@gmail.com", "csrf_token": csrf_token(page)}, headers=GERMAN)

    [invitation] = all_rows(mail_client.application, Invitation)
    assert invitation.language == "de"


PRODUCTS = """
[products.prodcode1234567890]
name = "Acme <1> %(x)s {y}"
sign_in_url = "https://app.acme.example/login"
support_email = "help@acme.example"
[products.prodcode1234567890.texts.de]
"Thank you for subscribing." = "Schön, dass Sie da sind & <b>bleiben</b>!"
"Register for %(product)s" = "Los geht es mit %(product)s"
[products.prodcode1234567890.texts.en]
"Register" = "Send"
[products.othercode0987654321]
name = "Other"
sign_in_url = "https://app.acme.example/login"
support_email = "help@acme.example"
"""


@pytest.fixture
def app_of_two(environment: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Flask]:
    """An application with two products, one of which has its own texts."""
    file = tmp_path / "products.toml"
    file.write_text(PRODUCTS, encoding="utf-8")
    factories.use_products_file(environment, file)
    with factories.open_app(create_app()) as app:
        yield app


def test_products_own_texts_are_on_its_pages_alone(app_of_two: Flask, sandbox: Sandbox) -> None:
    client = app_of_two.test_client()
    client.post("/", data={TOKEN_FIELD: factories.token(sandbox)})

    german, english = client.get("/signup", headers=GERMAN).text, client.get("/signup").text

    assert "Schön, dass Sie da sind &amp; &lt;b&gt;bleiben&lt;/b&gt;!" in german
    assert "<h1>Los geht es mit Acme &lt;1&gt; %(x)s {y}</h1>" in german
    assert '<button class="button" type="submit">Registrieren</button>' in german
    assert '<button class="button" type="submit">Send</button>' in english
    other = app_of_two.test_client()
    other.post("/", data={TOKEN_FIELD: factories.token(sandbox, product_code=factories.OTHER_PRODUCT_CODE)})
    assert "Vielen Dank für Ihr Abonnement." in other.get("/signup", headers=GERMAN).text
