"""The storefront's pages, without JavaScript: products, orders, purchases and faults."""

from urllib.parse import urljoin

import pytest
import requests
from justhtml import JustHTML

from sandbox.faults import Faults
from sandbox.purchases import Order
from sandbox.server import Sandbox
from tests.sandbox.conftest import OpenPage, element_attributes

ORDER = Order(product_code="insights1example", account_id="111122223333")
TRIAL = Order(product_code="insights1example", account_id="111122223333", free_trial=True)


def set_up_fields(page: JustHTML) -> dict[str, str]:
    return {field["name"]: field["value"] for field in element_attributes(page, ".set-up input")}


def submit_form(sandbox: Sandbox, path: str, **fields: str) -> requests.Response:
    return requests.post(urljoin(sandbox.storefront_url, path), fields, timeout=30, allow_redirects=False)


@pytest.mark.parametrize("path", ["/", "/products/ledger2example", "/purchases", "/faults"])
def test_every_page_states_that_nothing_is_bought(open_page: OpenPage, path: str) -> None:
    page = open_page(path)

    assert "pretend AWS Marketplace" in page.query(".pretend")[0].to_text()
    assert "Nothing is bought" in page.query(".pretend")[0].to_text()
    assert len(page.query("h1")) == 1


@pytest.mark.parametrize("path", ["/products/insights1example", "/faults"])
def test_every_field_has_a_label_and_its_hint(open_page: OpenPage, path: str) -> None:
    page = open_page(path)

    fields = [field for field in element_attributes(page, "input, select") if field.get("type") != "hidden"]
    assert fields
    assert {field["id"] for field in fields} == {label["for"] for label in element_attributes(page, "label")}
    hints = {field["aria-describedby"] for field in fields if "aria-describedby" in field}
    assert hints == {hint["id"] for hint in element_attributes(page, ".hint")}


def test_front_page_links_every_product(open_page: OpenPage) -> None:
    page = open_page("/")

    links = [link["href"] for link in element_attributes(page, ".shelf a")]
    assert links == ["/products/insights1example", "/products/ledger2example", "/products/relay3example"]


def test_order_redirects_to_the_purchase(sandbox: Sandbox, open_page: OpenPage) -> None:
    fields = {"product_code": "ledger2example", "account_id": "044455556666", "style": "old", "free_trial": "true"}

    response = submit_form(sandbox, "/purchases", **fields)

    (purchase,) = sandbox.marketplace.purchases
    assert response.status_code == 303
    assert response.headers["Location"] == f"/purchases/{purchase.id}"
    assert (purchase.product_code, purchase.account_id, purchase.style, purchase.free_trial) == (
        "ledger2example",
        "044455556666",
        "old",
        True,
    )
    assert str(purchase.customer_identifier) in open_page(response.headers["Location"]).to_text()


def test_new_account_gets_twelve_digits_and_its_name(sandbox: Sandbox) -> None:
    fields = {"product_code": "ledger2example", "account_id": "", "account_name": "Brook"}

    submit_form(sandbox, "/purchases", **fields)

    (purchase,) = sandbox.marketplace.purchases
    assert len(purchase.account_id) == 12
    assert purchase.account_name == "Brook"


@pytest.mark.parametrize("path", ["/purchases", "/purchases/{id}"])
def test_set_up_button_posts_a_token_to_the_app(
    sandbox: Sandbox, open_page: OpenPage, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sandbox, "app_url", "http://localhost:4321/")
    purchase = sandbox.marketplace.buy(ORDER)

    page = open_page(path.format(id=purchase.id))

    (form,) = element_attributes(page, ".set-up")
    assert (form["method"], form["action"]) == ("post", "http://localhost:4321/")
    assert set_up_fields(page).keys() == {"x-amzn-marketplace-token"}
    assert sandbox.marketplace.resolve_token(set_up_fields(page)["x-amzn-marketplace-token"]) == purchase


def test_each_page_view_carries_a_fresh_token(sandbox: Sandbox, open_page: OpenPage) -> None:
    path = f"/purchases/{sandbox.marketplace.buy(ORDER).id}"

    tokens = {set_up_fields(open_page(path))["x-amzn-marketplace-token"] for _ in range(3)}

    assert len(tokens) == 3


def test_pages_are_never_cached(sandbox: Sandbox) -> None:
    purchase = sandbox.marketplace.buy(ORDER)

    response = requests.get(f"{sandbox.storefront_url}/purchases/{purchase.id}", timeout=30)

    assert response.headers["Cache-Control"] == "no-store"


def test_free_trial_posts_the_offer_type(sandbox: Sandbox, open_page: OpenPage) -> None:
    purchase = sandbox.marketplace.buy(TRIAL)

    posted = set_up_fields(open_page(f"/purchases/{purchase.id}"))

    assert posted.keys() == {"x-amzn-marketplace-token", "x-amzn-marketplace-offer-type"}
    assert posted["x-amzn-marketplace-offer-type"] == "free-trial"


def test_extra_fields_fault_posts_the_agreement_and_product(sandbox: Sandbox, open_page: OpenPage) -> None:
    purchase = sandbox.marketplace.buy(ORDER)
    sandbox.marketplace.faults = Faults(extra_fields=True)

    posted = set_up_fields(open_page(f"/purchases/{purchase.id}"))

    assert posted["x-amzn-marketplace-agreement-id"] == purchase.agreement_id
    assert posted["x-amzn-marketplace-product-id"].startswith("prod-")


def test_buy_again_preselects_the_account_and_style(sandbox: Sandbox, open_page: OpenPage) -> None:
    order = Order(product_code="relay3example", account_id="777788889999", style="old")
    purchase = sandbox.marketplace.buy(order)
    (link,) = element_attributes(open_page(f"/purchases/{purchase.id}"), ".again a")

    page = open_page(link["href"])

    assert [option["value"] for option in element_attributes(page, "option[selected]")] == ["777788889999"]
    assert [choice["value"] for choice in element_attributes(page, "input[checked]")] == ["old"]


@pytest.mark.parametrize("path", ["/purchases", "/purchases/{id}", "/products/insights1example"])
def test_hostile_account_name_is_escaped(sandbox: Sandbox, open_page: OpenPage, path: str) -> None:
    hostile = '"><script>alert(1)</script>'
    purchase = sandbox.marketplace.buy(Order(product_code="insights1example", account_name=hostile))

    page = open_page(path.format(id=purchase.id))

    assert page.query("script") == []
    assert hostile in page.query("main")[0].to_text()


def test_fault_panel_switches_named_faults_on_and_others_off(sandbox: Sandbox) -> None:
    sandbox.marketplace.faults = Faults(expired=True)

    response = submit_form(sandbox, "/faults", throttled="3", slow="0.5", aws_down="true")

    assert response.status_code == 303
    assert sandbox.marketplace.faults == Faults(throttled=3, slow=0.5, aws_down=True)


def test_fault_panel_shows_which_faults_are_on(sandbox: Sandbox, open_page: OpenPage) -> None:
    sandbox.marketplace.faults = Faults(throttled=3, no_customer=True)

    page = open_page("/faults")

    assert [switch["name"] for switch in element_attributes(page, "input[checked]")] == ["no_customer"]
    assert element_attributes(page, "#throttled")[0]["value"] == "3"
    assert page.query(".count")[0].to_text() == "2 on"


def test_purchase_page_warns_of_active_faults(sandbox: Sandbox, open_page: OpenPage) -> None:
    purchase = sandbox.marketplace.buy(ORDER)
    sandbox.marketplace.faults = Faults(aws_down=True)

    page = open_page(f"/purchases/{purchase.id}")

    assert "AWS is down" in page.query(".warning")[0].to_text()


def test_start_over_deletes_every_purchase(sandbox: Sandbox) -> None:
    sandbox.marketplace.buy(ORDER)

    response = submit_form(sandbox, "/reset")

    assert response.status_code == 303
    assert sandbox.marketplace.purchases == []


@pytest.mark.parametrize(
    ("path", "fields", "message"),
    [
        ("/purchases", {"product_code": "insights1example", "style": "odd"}, "style: Input should be 'new' or 'old'"),
        ("/faults", {"slow": "61"}, "slow: Input should be less than or equal to 60"),
    ],
)
def test_invalid_value_is_named(sandbox: Sandbox, path: str, fields: dict[str, str], message: str) -> None:
    response = submit_form(sandbox, path, **fields)

    assert response.status_code == 400
    assert message in JustHTML(response.text, strict=True, sanitize=False).to_text()


@pytest.mark.parametrize("path", ["/products/nope", "/purchases/00000000-0000-0000-0000-000000000000", "/nowhere"])
def test_unknown_page_is_answered_with_a_404_page(sandbox: Sandbox, path: str) -> None:
    response = requests.get(f"{sandbox.storefront_url}{path}", timeout=30)

    assert response.status_code == 404
    assert "That did not work" in JustHTML(response.text, strict=True, sanitize=False).to_text()
