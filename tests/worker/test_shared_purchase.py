"""Two people register for one purchase while AWS or the product is down; then the worker catches up."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from flask.testing import FlaskClient

from app.models import Registration, Subscription
from app.services.events import apply
from sandbox.purchases import Purchase
from tests.support import app_processes, factories, handoff_receiver
from tests.support.aws_events import ACCOUNT_ID, AGREEMENT_CREATED, eventbridge_event, parse_event
from tests.support.factories import ANSWERS
from tests.support.new_buyer import NewBuyer
from tests.support.one_account_product import OneAccountProduct
from tests.support.outbox_messages import handoff_messages
from tests.support.page_checks import csrf_token
from tests.support.stored_rows import all_rows
from tests.worker.sender_stubs import is_true_in_time

ADA, BOB = ANSWERS["email"], "bob@gmail.com"


@pytest.fixture
def product() -> Iterator[OneAccountProduct]:
    """A product that is down."""
    product = OneAccountProduct(is_away=True)
    with handoff_receiver.serve(product):
        yield product


def register_bob(buyer: NewBuyer, purchase: Purchase) -> FlaskClient:
    """Land and register as Bob in another browser, and return that."""
    browser = buyer.land_in_other_browser(purchase)
    form = csrf_token(browser.get("/signup").text)
    assert browser.post("/signup", data={**ANSWERS, "email": BOB, "csrf_token": form}).status_code == 303
    return browser


def worker_environment(buyer: NewBuyer, product: OneAccountProduct, database_url: str) -> dict[str, str]:
    aws = factories.environment(database_url, buyer.sandbox.aws_url)
    return {**aws, **factories.handoff_environment(product.url)}


def is_all_delivered(buyer: NewBuyer) -> bool:
    outcomes = {message.outcome for message in handoff_messages(buyer.client.application)}
    return outcomes <= {"delivered", "cancelled"}


def test_worker_gives_account_to_first_after_outage_of_aws(
    new_buyer: NewBuyer, product: OneAccountProduct, database_url: str
) -> None:
    purchase = new_buyer.register()
    new_buyer.sandbox.marketplace.change_faults(aws_down=True)
    bob = register_bob(new_buyer, purchase)
    new_buyer.sandbox.marketplace.change_faults(aws_down=False)

    with app_processes.run_worker(worker_environment(new_buyer, product, database_url)) as worker:
        assert app_processes.wait_for_log_event(worker, "handoff.rescheduled")
        assert is_true_in_time(lambda: len(all_rows(new_buyer.client.application, Registration)) == 1)
        product.is_away = False
        assert is_true_in_time(lambda: is_all_delivered(new_buyer))

    assert (product.entered_by(new_buyer.client), product.entered_by(bob)) == (ADA, None)


def test_worker_gives_account_to_first_after_event_joins_purchases(
    new_buyer: NewBuyer, product: OneAccountProduct, database_url: str
) -> None:
    held_back = {"account_id": ACCOUNT_ID, "delivery": "late"}
    first = new_buyer.buy(**held_back)
    new_buyer.submit_form()
    second = new_buyer.sandbox.marketplace.buy(factories.order(**held_back))
    bob = register_bob(new_buyer, second)
    names = {"agreement": second.agreement_id, "previous": first.agreement_id}

    with app_processes.run_worker(worker_environment(new_buyer, product, database_url)) as worker:
        assert app_processes.wait_for_log_event(worker, "handoff.rescheduled")
        with new_buyer.client.application.app_context():
            apply.ingest(parse_event(eventbridge_event(AGREEMENT_CREATED, datetime.now(UTC), **names)))
        product.is_away = False
        assert is_true_in_time(lambda: is_all_delivered(new_buyer))

    assert len(all_rows(new_buyer.client.application, Subscription)) == 1
    assert (product.entered_by(new_buyer.client), product.entered_by(bob)) == (ADA, None)
