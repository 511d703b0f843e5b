"""The sign-up form's page: the order of its parts, and what it says when it comes back."""

from flask.testing import FlaskClient

from tests.support.databases import on_sqlite
from tests.support.factories import ANSWERS
from tests.support.page_checks import csrf_token
from tests.views.test_signup import send


@on_sqlite
def test_note_that_is_too_long_comes_back_whole_and_counted(buyer_client: FlaskClient) -> None:
    note = "x" * 2300

    empty = buyer_client.get("/signup").text
    _, page = send(buyer_client, notes=note)

    assert "Up to 2,000 characters." in empty
    assert "2,300 of 2,000 characters." in page
    assert note in page


@on_sqlite
def test_error_summary_is_above_and_invitation_below_the_form(buyer_client: FlaskClient) -> None:
    _, page = send(buyer_client, company="")

    parts = ("Please check your answers", "<h1>", "<form", "Register</button>", "Invite a colleague</a>")
    places = [page.index(part) for part in parts]
    assert places == sorted(places)


@on_sqlite
def test_changed_form_with_an_error_still_says_that_it_replaces(buyer_client: FlaskClient) -> None:
    send(buyer_client)
    form = {**ANSWERS, "company": "", "csrf_token": csrf_token(buyer_client.get("/signup?change").text)}

    page = buyer_client.post("/signup?change=", data=form).text

    assert "it replaces your earlier answers" in page
    assert "Already have an account?" not in page
