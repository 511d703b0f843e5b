"""The hint about an address that is probably mistyped: shown once, and never a refusal."""

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.datastructures import MultiDict
from werkzeug.test import TestResponse

from app.models import Invitation, Registration
from app.views import email_hints
from tests.support.databases import on_sqlite
from tests.support.factories import ANSWERS
from tests.support.page_checks import csrf_token
from tests.support.stored_rows import all_rows


def send(client: FlaskClient, email: str, path: str = "/signup", **answers: str) -> TestResponse:
    form = {**ANSWERS, **answers, "email": email, "csrf_token": csrf_token(client.get(path).text)}
    return client.post(path, data=form)


def stored_addresses(app: Flask) -> list[str]:
    return [registration.email for registration in all_rows(app, Registration)]


@on_sqlite
def test_mistyped_address_comes_back_once_with_a_hint(app: Flask, buyer_client: FlaskClient) -> None:
    first = send(buyer_client, "ada@gmial.com")
    stored_first = stored_addresses(app)
    second = send(buyer_client, "ada@gmial.com")

    assert first.status_code == 200
    assert "<h2>Did you mean ada@gmail.com?</h2>" in first.text
    assert "Keep it</button>" in first.text
    assert "<title>\nCheck your email address – Register – Acme Insights" in first.text
    assert 'value="Ada Lovelace"' in first.text
    assert stored_first == []
    assert second.location == "/welcome"
    assert stored_addresses(app) == ["ada@gmial.com"]


@on_sqlite
def test_button_of_the_hint_replaces_the_address(app: Flask, buyer_client: FlaskClient) -> None:
    token = csrf_token(send(buyer_client, "ada@gmail.con").text)
    # The button stands before the field, so a browser sends its address first.
    form = MultiDict([("email", "ada@gmail.com"), *ANSWERS.items(), ("email", "ada@gmail.con"), ("csrf_token", token)])

    assert buyer_client.post("/signup", data=form).location == "/welcome"
    assert stored_addresses(app) == ["ada@gmail.com"]


@on_sqlite
def test_another_mistyped_address_is_asked_about_too(buyer_client: FlaskClient) -> None:
    send(buyer_client, "ada@gmial.com")

    assert "Did you mean ada@hotmail.com?" in send(buyer_client, "ada@hotnail.com").text


@on_sqlite
def test_hint_is_shown_beside_errors_and_not_again(buyer_client: FlaskClient) -> None:
    first = send(buyer_client, "ada@gmial.com", company="")
    second = send(buyer_client, "ada@gmial.com")

    assert first.status_code == 422
    assert "Did you mean ada@gmail.com?" in first.text
    assert first.text.count("autofocus") == 1
    assert second.location == "/welcome"


@on_sqlite
def test_stored_address_is_not_asked_about_again(buyer_client: FlaskClient) -> None:
    send(buyer_client, "ada@gmial.com")
    send(buyer_client, "ada@gmial.com")
    send(buyer_client, "ada@gmail.con", "/signup?change")

    assert send(buyer_client, "ada@gmial.com", "/signup?change", phone="5550199").location == "/welcome"


@on_sqlite
def test_session_does_not_contain_the_address(buyer_client: FlaskClient) -> None:
    send(buyer_client, "ada@gmial.com")

    with buyer_client.session_transaction() as session:
        assert "gmial" not in str(dict(session))


@on_sqlite
def test_invitation_of_a_mistyped_address_is_asked_about_once(app: Flask, buyer_client: FlaskClient) -> None:
    first = send(buyer_client, "grace@outlok.com", "/invite")
    stored_first = all_rows(app, Invitation)
    second = send(buyer_client, "grace@outlok.com", "/invite")

    assert "Did you mean grace@outlook.com?" in first.text
    assert stored_first == []
    assert second.location == "/invite"
    assert [invitation.email for invitation in all_rows(app, Invitation)] == ["grace@outlok.com"]


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("gmial.com", "gmail.com"),
        ("gmail.con", "gmail.com"),
        ("gmail.co", "gmail.com"),
        ("gmai.com", "gmail.com"),
        ("gmaill.com", "gmail.com"),
        ("gnail.com", "gmail.com"),
        ("GMIAL.CON", "gmail.com"),
        ("hotmial.cmo", "hotmail.com"),
        ("outlook.comm", "outlook.com"),
        ("yaho.com", "yahoo.com"),
        ("yahoo.co.ku", "yahoo.co.uk"),
        ("iclould.com", "icloud.com"),
        ("acme.con", "acme.com"),
        ("mail.acme.ocm", "mail.acme.com"),
    ],
)
def test_slip_in_a_domain_is_found(typed: str, meant: str) -> None:
    assert email_hints.suggest(f"Ada.Müller@{typed}") == f"Ada.Müller@{meant}"


@pytest.mark.parametrize(
    "domain",
    [
        *email_hints.MAIL_PROVIDERS,
        *sorted(email_hints.REAL_NEIGHBOURS),
        *("acme.ai", "acme.co", "acme.io", "acme.cm", "acme.cam", "hey.com", "gmx.de", "web.de", "me.com", "msn.com"),
        *("yahoo.ca", "yahoo.fr", "yahoo.co.in", "hotmail.fr", "hotmail.ca", "outlook.de", "proton.me", "live.com"),
        *("example.com", "acme.net", "acme.org", "Gmail.com", "qq.com", "163.com"),
    ],
)
def test_real_domain_is_left_alone(domain: str) -> None:
    assert email_hints.suggest(f"ada@{domain}") is None
