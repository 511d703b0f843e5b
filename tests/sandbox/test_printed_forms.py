"""The fault "Printed forms": events as AWS's documentation prints them, which AWS itself does not send."""

import json
from datetime import UTC, datetime

import pytest
import time_machine

from sandbox.faults import Faults
from sandbox.purchases import Order
from sandbox.server import Sandbox
from tests.sandbox.conftest import QueueReader
from tests.sandbox.test_actions import CONTRACT, USAGE, create_purchase

NOW = datetime(2026, 11, 23, 9, 30, 15, 123456, UTC)
LATER = datetime(2026, 11, 23, 10, 30, 15, 987654, UTC)


@pytest.fixture(autouse=True)
def printed_forms(sandbox: Sandbox) -> None:
    """Switch the fault on."""
    sandbox.marketplace.faults = Faults(printed_forms=True)


def test_printed_agreement_has_whole_seconds_and_no_resale(sandbox: Sandbox, queue: QueueReader) -> None:
    with time_machine.travel(NOW, tick=False):
        purchase = create_purchase(sandbox, CONTRACT)
        (event,) = queue.receive()

    assert event["detail"]["agreement"] == {
        "id": purchase.agreement_id,
        "intent": "NEW",
        "status": "ACTIVE",
        "acceptanceTime": "2026-11-23T09:30:15Z",
        "startTime": "2026-11-23T09:30:15Z",
        "endTime": "2027-11-23T09:30:15Z",
    }
    assert event["detail"]["offer"] == {"id": purchase.offer_id}
    assert "resaleAuthorization" not in event["detail"]


def test_printed_usage_agreement_has_no_end(sandbox: Sandbox, queue: QueueReader) -> None:
    create_purchase(sandbox, USAGE)

    (event,) = queue.receive_and_delete_all()

    assert "endTime" not in event["detail"]["agreement"]


def test_printed_license_arn_differs_from_resolve_customers(sandbox: Sandbox, queue: QueueReader) -> None:
    purchase = create_purchase(sandbox, USAGE)
    queue.receive_and_delete_all()

    sandbox.marketplace.apply_action(purchase, "confirm")

    (event,) = queue.receive_and_delete_all()
    number = str(purchase.license_arn).rpartition(":")[2]
    assert event["detail"]["license"] == {"arn": f"aws:license-manager:us-east-1:123456789012:{number}"}


def test_printed_end_has_the_whole_agreement(sandbox: Sandbox, queue: QueueReader) -> None:
    with time_machine.travel(NOW, tick=False):
        purchase = create_purchase(sandbox, CONTRACT, actions="confirm")
        queue.receive_and_delete_all()

    with time_machine.travel(LATER, tick=False):
        sandbox.marketplace.apply_action(purchase, "cancel")
        (event,) = queue.receive_and_delete_all()

    assert event["time"] == event["detail"]["agreement"]["endTime"] == "2026-11-23T10:30:15Z"
    assert event["detail"]["agreement"]["startTime"] == "2026-11-23T09:30:15Z"
    assert event["detail"]["offer"] == {"id": purchase.offer_id}


def test_printed_renewal_ends_the_previous_agreement_now(sandbox: Sandbox, queue: QueueReader) -> None:
    with time_machine.travel(NOW, tick=False):
        purchase = create_purchase(sandbox, CONTRACT, actions="confirm")
        queue.receive_and_delete_all()

    with time_machine.travel(LATER, tick=False):
        sandbox.marketplace.apply_action(purchase, "renew")
        created, _, ended = queue.receive_and_delete_all()

    assert created["detail"]["agreement"]["intent"] == "RENEW"
    assert ended["detail"]["agreement"]["id"] == purchase.agreement_id
    assert ended["detail"]["agreement"]["endTime"] <= ended["time"]


def test_printed_notification_has_a_blank_before_the_customer(sandbox: Sandbox, queue: QueueReader) -> None:
    purchase = sandbox.marketplace.buy(Order(product_code=USAGE, style="old"))
    sandbox.marketplace.apply_action(purchase, "confirm")

    (envelope,) = queue.receive_and_delete_all()

    assert json.loads(envelope["Message"])["customer-identifier"] == f" {purchase.customer_identifier}"
