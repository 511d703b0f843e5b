"""The way in: the wait for the account, what is said when it takes long or is refused, and the door itself."""

import re
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest

from app.services.signup import product_url
from tests.databases import on_sqlite
from tests.factories import CODE, TOKEN
from tests.views import buyers
from tests.views.way import Newcomer, later

URL = "https://app.acme.example/t/juniper?tab=1"


def test_who_has_registered_waits_for_the_account_and_then_goes_in_by_themselves(newcomer: Newcomer) -> None:
    newcomer.registers()
    waiting, looks_again = newcomer.sees(), newcomer.refresh()

    newcomer.is_handed_off(url=URL, reference="juniper-1")
    ready, goes_in = newcomer.sees(), newcomer.refresh()

    assert "Setting up your account" in waiting
    assert looks_again == "2; url=/welcome"
    assert "Your account is ready" in ready
    assert goes_in == "1; url=/enter"


def test_the_door_leads_to_the_account_with_an_assertion_of_who_comes(newcomer: Newcomer) -> None:
    newcomer.registers()
    newcomer.is_handed_off(url=URL, reference="juniper-1")

    entered = newcomer.client.get("/enter")

    way = urlsplit(entered.headers["Location"])
    assert entered.status_code == 303
    assert (way.netloc, way.path) == ("app.acme.example", "/t/juniper")
    asked = parse_qs(way.query)
    assert asked["tab"] == ["1"]
    keys = jwt.PyJWKSet.from_json(newcomer.client.get("/.well-known/jwks.json").text)
    [assertion] = asked[product_url.ASSERTION]
    claims = jwt.decode(
        assertion, keys.keys[0].key, algorithms=["EdDSA"], audience=CODE, issuer="https://start.acme.example"
    )
    told = newcomer.product.came[0]["data"]
    assert claims["sub"] == told["subscription"]["id"]
    assert claims["registration_id"] == told["registration"]["id"]
    assert claims["reference"] == "juniper-1"
    assert "Lovelace" not in str(claims)
    assert "ada@" not in str(claims)


@on_sqlite
def test_an_answer_without_an_address_leads_to_the_sign_in_page(newcomer: Newcomer) -> None:
    newcomer.registers()
    newcomer.is_handed_off()

    location = newcomer.client.get("/enter").headers["Location"]

    assert location.startswith(f"https://app.acme.example/login?{product_url.ASSERTION}=")


@on_sqlite
def test_who_has_been_let_in_is_not_sent_in_again_but_finds_the_door(newcomer: Newcomer) -> None:
    newcomer.registers()
    newcomer.is_handed_off(url=URL, reference="juniper-1")
    newcomer.client.get("/enter")

    page = newcomer.client.get("/welcome")

    assert page.headers["Refresh"] == "5; url=/welcome"
    assert '<a class="button plain" href="/enter">Open Acme Insights</a>' in re.sub(r"\s+", " ", page.text)
    assert "juniper-1" in page.text


@on_sqlite
def test_another_browser_is_shown_the_sign_in_page_without_an_assertion(newcomer: Newcomer) -> None:
    purchase = newcomer.registers()
    newcomer.is_handed_off(url=URL, reference="juniper-1")
    colleague = newcomer.client.application.test_client()
    colleague.post("/", data={TOKEN: newcomer.sandbox.world.mint(purchase)})

    page = colleague.get("/welcome").text
    door = colleague.get("/enter")

    assert "https://app.acme.example/login" in page
    assert URL not in page
    assert product_url.ASSERTION not in page
    assert door.headers["Location"] == "/welcome"


@on_sqlite
def test_nobody_is_let_in_before_the_product_has_answered(newcomer: Newcomer) -> None:
    newcomer.registers()

    assert newcomer.client.get("/enter").headers["Location"] == "/welcome"


@on_sqlite
def test_who_waits_for_long_is_told_what_happens_by_when_and_gets_a_link_for_any_browser(newcomer: Newcomer) -> None:
    newcomer.registers()
    newcomer.is_handed_off(503)

    with later(minutes=3):
        page = newcomer.client.get("/welcome")
        [link] = re.findall(r'href="(/progress/[^"]+)"', page.text)
        elsewhere = newcomer.client.application.test_client().get(link)

    assert "still making your account" in page.text
    assert "one working day" in page.text
    assert "ada@gmail.com" in page.text
    assert page.headers["Refresh"] == "5; url=/welcome"
    # Mail programs leave a last = out of what they make a link of.
    assert re.fullmatch(r"/progress/[A-Za-z0-9_-]+", link)
    assert "still making your account" in elsewhere.text
    assert elsewhere.headers["Refresh"] == f"5; url={link}"
    assert "a•••@gmail.com" in elsewhere.text
    assert "ada@gmail.com" not in elsewhere.text


@on_sqlite
def test_the_link_shows_the_account_once_it_is_there_and_lets_nobody_in_by_itself(newcomer: Newcomer) -> None:
    newcomer.registers()
    [link] = re.findall(r'href="(/progress/[^"]+)"', newcomer.client.get("/welcome").text)
    newcomer.is_handed_off(url=URL, reference="juniper-1")

    page = newcomer.client.application.test_client().get(link).text

    assert "juniper-1" in page
    assert "https://app.acme.example/login" in page
    assert product_url.ASSERTION not in page
    assert "/enter" not in page


@on_sqlite
@pytest.mark.parametrize("link", ["/progress/nonsense", "/progress/gAAAAAB"])
def test_a_link_that_is_none_is_not_found(newcomer: Newcomer, link: str) -> None:
    assert newcomer.client.get(link).status_code == 404


@on_sqlite
def test_a_link_is_good_for_thirty_days(newcomer: Newcomer) -> None:
    newcomer.registers()
    [link] = re.findall(r'href="(/progress/[^"]+)"', newcomer.client.get("/welcome").text)

    with later(days=29, hours=23):
        assert newcomer.client.get(link).status_code == 200
    with later(days=30, seconds=2):
        assert newcomer.client.get(link).status_code == 404


@on_sqlite
def test_a_product_that_gives_up_is_told_of_and_who_does_it_by_hand(newcomer: Newcomer) -> None:
    newcomer.registers()
    newcomer.is_handed_off(410)

    page = newcomer.sees()

    assert "could not make your account by itself" in page
    assert "one working day" in page


@on_sqlite
@pytest.mark.parametrize(
    ("reason", "text"),
    [
        ("not_found", "knows no account by the name of “acme-7”"),
        ("not_allowed", "does not let you add a purchase to “acme-7”"),
        ("already_linked", "Another purchase pays for “acme-7” already"),
        ("confirmation_needed", "asked an administrator of “acme-7” to confirm"),
        ("not_supported", "cannot add a purchase to an account by itself"),
    ],
)
def test_every_refusal_has_clear_words_and_a_way_on(newcomer: Newcomer, reason: str, text: str) -> None:
    newcomer.registers(account="existing", existing_account="acme-7")
    newcomer.is_handed_off(refused=reason)

    page = newcomer.sees()

    assert text in page
    assert "Choose another account" in page
    assert newcomer.client.get("/enter").headers["Location"] == "/welcome"


@on_sqlite
def test_after_a_refusal_another_choice_leads_in(newcomer: Newcomer) -> None:
    newcomer.registers(account="existing", existing_account="acme-7")
    newcomer.is_handed_off(refused="not_found")

    newcomer.sends(account="new")
    newcomer.is_handed_off(url=URL)

    assert newcomer.refresh() == "1; url=/enter"


@on_sqlite
def test_which_account_has_to_be_said(newcomer: Newcomer) -> None:
    newcomer.buys()

    response = newcomer.sends(account="existing", existing_account=" ")

    assert response.status_code == 422
    assert "Enter the account" in response.text


def test_a_second_license_is_asked_whether_it_joins_the_first_ones_account(newcomer: Newcomer) -> None:
    newcomer.buys(account_id="012345678901")
    newcomer.sends()
    newcomer.is_handed_off(reference="juniper-1")
    first = newcomer.product.came[0]["data"]["subscription"]["id"]

    newcomer.buys(account_id="012345678901")
    form = newcomer.client.get("/signup").text
    newcomer.sends(account=first)
    newcomer.is_handed_off()

    assert "Add it to the account of Juniper &amp; Lark (juniper-1)" in form
    account = newcomer.product.came[-1]["data"]["account"]
    assert (account["wish"], account["subscription_id"]) == ("add", first)


@on_sqlite
def test_another_customers_account_is_neither_offered_nor_taken(newcomer: Newcomer) -> None:
    newcomer.registers()
    newcomer.is_handed_off()
    first = newcomer.product.came[0]["data"]["subscription"]["id"]

    newcomer.buys(account_id="999988887777")
    form = newcomer.client.get("/signup").text
    newcomer.sends(account=first)
    newcomer.is_handed_off()

    assert "Add it to" not in form
    assert newcomer.product.came[-1]["data"]["account"]["wish"] == "new"


@on_sqlite
def test_a_purchase_that_has_ended_lets_nobody_wait(newcomer: Newcomer) -> None:
    purchase = newcomer.registers()
    newcomer.is_handed_off(503)

    buyers.Buyer(newcomer.client, purchase).is_told(buyers.DEPROVISIONED)

    assert "has ended" in newcomer.sees()
