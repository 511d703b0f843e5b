"""The marketplace's state: purchases, buyers and faults, in memory and across a restart."""

import re
import threading
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from pydantic import ValidationError

from sandbox import catalogue
from sandbox.faults import Faults
from sandbox.marketplace import Marketplace, UnknownPurchase
from sandbox.purchases import Order, new_buyer
from sandbox.server import Sandbox
from tests.sandbox.conftest import CreateClient

ORDER = Order(product_code="ledger2example", account_name="Brook & Daughters", free_trial=True)


def test_purchases_and_tokens_survive_a_restart(tmp_path: Path) -> None:
    before = Marketplace(catalogue.load_products(), tmp_path / "new" / "state.json")
    purchase = before.buy(ORDER)
    token = before.mint_token(purchase)

    after = Marketplace(catalogue.load_products(), tmp_path / "new" / "state.json")

    assert after.purchases == [purchase]
    assert after.resolve_token(token) == purchase
    assert "Brook & Daughters" in {buyer.name for buyer in after.buyers}


def test_restart_switches_all_faults_off(tmp_path: Path) -> None:
    before = Marketplace(catalogue.load_products(), tmp_path / "state.json")
    before.buy(ORDER)
    before.faults = Faults(expired=True)

    after = Marketplace(catalogue.load_products(), tmp_path / "state.json")

    assert after.faults == Faults()


def test_changed_faults_leave_the_others_as_they_are() -> None:
    marketplace = Marketplace(catalogue.load_products())
    marketplace.faults = Faults(expired=True, slow=1)

    marketplace.change_faults(expired=False, aws_down=True)

    assert marketplace.faults == Faults(aws_down=True, slow=1)
    with pytest.raises(ValidationError, match="extra_forbidden"):
        marketplace.change_faults(aws_up=True)


def test_reset_is_written_to_the_state_file(tmp_path: Path) -> None:
    before = Marketplace(catalogue.load_products(), tmp_path / "state.json")
    before.buy(ORDER)
    before.reset()

    after = Marketplace(catalogue.load_products(), tmp_path / "state.json")

    assert after.purchases == []


def test_save_leaves_no_temporary_file(tmp_path: Path) -> None:
    marketplace = Marketplace(catalogue.load_products(), tmp_path / "state.json")

    marketplace.buy(ORDER)

    assert [path.name for path in tmp_path.iterdir()] == ["state.json"]


def test_invalid_state_file_is_named_and_left_unchanged(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    path.write_text("{]")

    with pytest.raises(SystemExit, match=r"state\.json is not a state file of the sandbox\. Delete it"):
        Marketplace(catalogue.load_products(), path)

    assert path.read_text() == "{]"


def test_returning_account_keeps_its_name() -> None:
    marketplace = Marketplace(catalogue.load_products())
    first = marketplace.buy(ORDER)

    second = marketplace.buy(Order(product_code="relay3example", account_id=first.account_id, account_name="Another"))

    assert second.account_name == "Brook & Daughters"


def test_new_account_id_has_twelve_digits() -> None:
    accounts = [new_buyer("Brook").account_id for _ in range(200)]

    assert all(re.fullmatch(r"\d{12}", account) for account in accounts)


def test_unknown_purchase_is_not_found() -> None:
    purchase = Marketplace(catalogue.load_products()).buy(ORDER)

    with pytest.raises(UnknownPurchase):
        Marketplace(catalogue.load_products()).get_purchase(purchase.id)


def test_sandboxes_share_no_state(sandbox: Sandbox, create_client: CreateClient) -> None:
    with Sandbox() as other:
        token = other.marketplace.mint_token(other.marketplace.buy(ORDER))

        customer = create_client("meteringmarketplace", endpoint_url=other.aws_url).resolve_customer(
            RegistrationToken=token
        )
        with pytest.raises(ClientError, match="InvalidTokenException"):
            create_client("meteringmarketplace").resolve_customer(RegistrationToken=token)

    assert customer["ProductCode"] == "ledger2example"
    assert sandbox.marketplace.purchases == []


def test_busy_port_is_an_error_and_leaves_no_server_running(sandbox: Sandbox) -> None:
    port = int(sandbox.storefront_url.rpartition(":")[2])
    server_threads = [thread.name for thread in threading.enumerate() if "serve_forever" in thread.name]

    with pytest.raises(OSError, match="in use"), Sandbox(storefront_port=port):
        pass

    assert [thread.name for thread in threading.enumerate() if "serve_forever" in thread.name] == server_threads
