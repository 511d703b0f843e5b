"""What the sandbox remembers, and for how long."""

import re
import threading
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from sandbox import catalogue
from sandbox.faults import Faults
from sandbox.marketplace import Marketplace, UnknownPurchase
from sandbox.purchases import Order, new_buyer
from sandbox.server import Sandbox
from tests.sandbox.conftest import CreateClient

ORDER = Order(product_code="ledger2example", account_name="Brook & Daughters", free_trial=True)


def test_purchases_and_their_tokens_outlive_a_restart(tmp_path: Path) -> None:
    before = Marketplace(catalogue.load_products(), tmp_path / "new" / "state.json")
    purchase = before.buy(ORDER)
    token = before.mint_token(purchase)

    after = Marketplace(catalogue.load_products(), tmp_path / "new" / "state.json")

    assert after.purchases == [purchase]
    assert after.resolve_token(token) == purchase
    assert "Brook & Daughters" in {buyer.name for buyer in after.buyers}


def test_faults_do_not_outlive_a_restart(tmp_path: Path) -> None:
    before = Marketplace(catalogue.load_products(), tmp_path / "state.json")
    before.buy(ORDER)
    before.faults = Faults(expired=True)

    after = Marketplace(catalogue.load_products(), tmp_path / "state.json")

    assert after.faults == Faults()


def test_a_reset_is_kept(tmp_path: Path) -> None:
    before = Marketplace(catalogue.load_products(), tmp_path / "state.json")
    before.buy(ORDER)
    before.reset()

    after = Marketplace(catalogue.load_products(), tmp_path / "state.json")

    assert after.purchases == []


def test_no_half_written_file_is_left_beside_the_state(tmp_path: Path) -> None:
    world = Marketplace(catalogue.load_products(), tmp_path / "state.json")

    world.buy(ORDER)

    assert [path.name for path in tmp_path.iterdir()] == ["state.json"]


def test_a_file_that_is_not_a_state_is_left_alone_and_named(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    path.write_text("{]")

    with pytest.raises(SystemExit, match=r"state\.json is not the sandbox's state\. Delete it"):
        Marketplace(catalogue.load_products(), path)

    assert path.read_text() == "{]"


def test_an_account_that_bought_before_keeps_its_name() -> None:
    world = Marketplace(catalogue.load_products())
    first = world.buy(ORDER)

    again = world.buy(Order(product_code="relay3example", account_id=first.account_id, account_name="Another"))

    assert again.account_name == "Brook & Daughters"


def test_a_new_account_has_twelve_digits_with_the_leading_zeros() -> None:
    accounts = [new_buyer("Brook").account_id for _ in range(200)]

    assert all(re.fullmatch(r"\d{12}", account) for account in accounts)


def test_a_purchase_that_was_never_made_is_not_found() -> None:
    purchase = Marketplace(catalogue.load_products()).buy(ORDER)

    with pytest.raises(UnknownPurchase):
        Marketplace(catalogue.load_products()).get_purchase(purchase.id)


def test_two_sandboxes_side_by_side_know_nothing_of_each_other(sandbox: Sandbox, create_client: CreateClient) -> None:
    with Sandbox() as other:
        token = other.marketplace.mint_token(other.marketplace.buy(ORDER))

        there = create_client("meteringmarketplace", endpoint_url=other.aws_url).resolve_customer(
            RegistrationToken=token
        )
        with pytest.raises(ClientError, match="InvalidTokenException"):
            create_client("meteringmarketplace").resolve_customer(RegistrationToken=token)

    assert there["ProductCode"] == "ledger2example"
    assert sandbox.marketplace.purchases == []


def test_a_port_in_use_is_an_error_and_leaves_no_door_open(sandbox: Sandbox) -> None:
    port = int(sandbox.storefront_url.rpartition(":")[2])
    serving = [thread.name for thread in threading.enumerate() if "serve_forever" in thread.name]

    with pytest.raises(OSError, match="in use"), Sandbox(storefront_port=port):
        pass

    assert [thread.name for thread in threading.enumerate() if "serve_forever" in thread.name] == serving
