"""Reviews: entitlements are read after a landing and after each change; while AWS is silent, what was read stands."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
import time_machine
from flask import Flask
from sqlalchemy import delete, update

from app import create_app
from app.config.products import Product
from app.models import Event, Subscription
from app.services.events import apply
from app.services.events import review as events_review
from app.services.purchases import entitlements, subscriptions
from app.services.purchases.aws_event import parse_body
from app.services.purchases.purchase import Landing
from sandbox.faults import Faults
from sandbox.purchases import Purchase
from sandbox.server import Sandbox
from tests.support import factories
from tests.support.aws_events import eventbridge_event, minutes_after_noon, parse_event
from tests.support.factories import PRODUCT_CODE
from tests.support.personal_data import run_transaction
from tests.support.stored_rows import all_rows

MANY = [{"dimension": f"seats_{number}", "value": number} for number in range(30)]


@pytest.fixture(scope="module")
def running_sandbox() -> Iterator[Sandbox]:
    """A marketplace that sells a contract."""
    with Sandbox([Product(code=PRODUCT_CODE, **{**factories.PRODUCT_FIELDS, "pricing": "contract"})]) as sandbox:
        yield sandbox


@pytest.fixture
def app(environment: pytest.MonkeyPatch) -> Iterator[Flask]:
    """The application of a seller of contracts."""
    environment.setenv("PRODUCT_PRICING", "contract")
    with factories.open_app(create_app()) as app:
        yield app


def bought(sandbox: Sandbox, **order: Any) -> Purchase:
    return sandbox.marketplace.buy(factories.order(**order))


def act(sandbox: Sandbox, purchase: Purchase, action: str, **options: Any) -> Purchase:
    """Let something happen to the purchase that the application does not hear of; return what has become of it."""
    sandbox.marketplace.apply_action(purchase, action, delivery="late", **options)
    return sandbox.marketplace.get_purchase(purchase.id)


def land(app: Flask, purchase: Purchase) -> None:
    customer = factories.customer(
        customer_aws_account_id=purchase.account_id,
        customer_identifier=purchase.customer_identifier,
        license_arn=purchase.license_arn,
        agreement_id=purchase.agreement_id if purchase.license_arn else None,
    )
    with app.app_context():
        subscriptions.upsert_from_landing(Landing(customer))


def hear(app: Flask, sandbox: Sandbox) -> None:
    """Let the application hear of everything that has happened so far."""
    with app.app_context():
        for event in sandbox.marketplace.events():
            apply.ingest(parse_body(event.body, event.id, datetime.now(UTC)))


def review_one(app: Flask) -> list[bool | None]:
    with app.app_context():
        return [events_review.process_next(), events_review.process_next()]


def held(app: Flask) -> dict[str, object]:
    [subscription] = all_rows(app, Subscription)
    return {each.dimension: each.value for each in entitlements.load_stored(subscription)}


def status(app: Flask) -> str:
    [subscription] = all_rows(app, Subscription)
    return subscription.status


@pytest.mark.parametrize("style", ["new", "old"])
def test_entitlements_are_read_after_a_landing_with_value_expiry_and_time(
    app: Flask, sandbox: Sandbox, style: str
) -> None:
    purchase = act(sandbox, bought(sandbox, style=style), "confirm")
    land(app, purchase)

    assert review_one(app) == [True, None]

    assert held(app) == {"seats": 25, "tier": "standard"}
    [subscription] = all_rows(app, Subscription)
    assert all(
        each.expires_at and each.expires_at > datetime.now(UTC) for each in entitlements.load_stored(subscription)
    )
    assert subscription.entitlements_read_at
    assert datetime.now(UTC) - subscription.entitlements_read_at < timedelta(minutes=1)


def test_all_pages_are_read_an_empty_one_among_them(app: Flask, sandbox: Sandbox) -> None:
    purchase = act(sandbox, bought(sandbox), "confirm")
    act(sandbox, purchase, "change_entitlements", entitlements=MANY)
    sandbox.marketplace.faults = Faults(empty_page=True)
    land(app, purchase)

    review_one(app)

    assert len(held(app)) == 30


def test_the_entitlements_of_the_accounts_other_license_are_not_taken_for_these(app: Flask, sandbox: Sandbox) -> None:
    first = act(sandbox, bought(sandbox, account_id="044455556666"), "confirm")
    other = act(sandbox, bought(sandbox, account_id="044455556666"), "confirm")
    act(sandbox, other, "change_entitlements", entitlements=MANY)
    land(app, first)

    review_one(app)

    assert held(app) == {"seats": 25, "tier": "standard"}


def test_a_license_that_only_an_event_has_spelled_gets_its_own_entitlements_too(app: Flask, sandbox: Sandbox) -> None:
    first = act(sandbox, bought(sandbox, account_id="044455556666"), "confirm")
    other = act(sandbox, bought(sandbox, account_id="044455556666"), "confirm")
    act(sandbox, other, "change_entitlements", entitlements=MANY)
    license_id = str(first.license_arn).rpartition(":")[2]
    with app.app_context():
        spelled = eventbridge_event("License Updated - Manufacturer", license=license_id, account="044455556666")
        apply.ingest(parse_event(spelled))

    review_one(app)

    assert held(app) == {"seats": 25, "tier": "standard"}


def test_a_change_of_entitlements_is_read_again(app: Flask, sandbox: Sandbox) -> None:
    purchase = act(sandbox, bought(sandbox), "confirm")
    land(app, purchase)
    hear(app, sandbox)
    review_one(app)
    act(sandbox, purchase, "change_entitlements", entitlements=[{"dimension": "seats", "value": 40}])

    hear(app, sandbox)
    review_one(app)

    assert held(app) == {"seats": 40}
    assert status(app) == "active"


def test_an_old_contract_begins_and_ends_as_its_entitlements_do(app: Flask, sandbox: Sandbox) -> None:
    purchase = bought(sandbox, style="old")
    land(app, purchase)
    review_one(app)
    before = (status(app), held(app))

    purchase = act(sandbox, purchase, "confirm")
    hear(app, sandbox)
    heard = status(app)
    review_one(app)
    confirmed = status(app)
    act(sandbox, purchase, "expire")
    hear(app, sandbox)
    review_one(app)

    assert before == ("pending", {})
    assert (heard, confirmed, status(app)) == ("pending", "active", "ended")


def test_who_pays_by_use_is_not_asked_about(environment: pytest.MonkeyPatch, sandbox: Sandbox) -> None:
    environment.setenv("PRODUCT_PRICING", "subscription")
    sandbox.marketplace.faults = Faults(aws_down=True)
    with factories.open_app(create_app()) as app:
        land(app, bought(sandbox))

        assert review_one(app) == [True, None]
        [subscription] = all_rows(app, Subscription)

    assert (subscription.entitlements, subscription.entitlements_read_at, subscription.review_at) == (None, None, None)


def test_while_aws_does_not_tell_what_was_read_stands_and_is_asked_for_later(
    app: Flask, sandbox: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    purchase = act(sandbox, bought(sandbox), "confirm")
    land(app, purchase)
    review_one(app)
    sandbox.marketplace.faults = Faults(access_denied=True)
    land(app, purchase)

    assert review_one(app) == [False, None]

    [subscription] = all_rows(app, Subscription)
    assert held(app) == {"seats": 25, "tier": "standard"}
    assert subscription.review_failures == 1
    assert '"fault": "PermissionDenied", "code": "AccessDeniedException", "event": "entitlements.read_failed"' in (
        capsys.readouterr().err
    )
    sandbox.marketplace.faults = Faults()
    with time_machine.travel(datetime.now(UTC) + timedelta(seconds=events_review.MAX_BACKOFF_SECONDS), tick=False):
        assert review_one(app)[0] is True
    assert [subscription.review_failures for subscription in all_rows(app, Subscription)] == [0]


def test_a_landing_while_aws_is_asked_is_reviewed_once_more(app: Flask, sandbox: Sandbox) -> None:
    purchase = act(sandbox, bought(sandbox), "confirm")
    land(app, purchase)
    with app.app_context():
        claimed = events_review.claim(datetime.now(UTC))
    land(app, purchase)

    assert claimed
    assert review_one(app)[0] is True


def test_entitlements_of_the_license_before_a_renewal_are_not_kept_for_the_present_one(
    app: Flask, sandbox: Sandbox
) -> None:
    purchase = act(sandbox, bought(sandbox), "confirm")
    land(app, purchase)
    hear(app, sandbox)
    with app.app_context():
        claimed = events_review.claim(datetime.now(UTC))
    [before] = all_rows(app, Subscription)
    act(sandbox, purchase, "renew", new_license=True)

    hear(app, sandbox)
    [renewed] = all_rows(app, Subscription)

    assert claimed
    assert renewed.purchase_key != before.purchase_key
    assert renewed.review_at
    assert renewed.review_at < claimed.until
    assert review_one(app)[0] is True
    assert held(app) == {"seats": 25, "tier": "standard"}


def test_two_workers_do_not_review_the_same_one_and_a_lost_worker_loses_nothing(app: Flask, sandbox: Sandbox) -> None:
    land(app, bought(sandbox))

    with app.app_context():
        now = datetime.now(UTC)
        first, second = events_review.claim(now), events_review.claim(now)
        after_the_lease = events_review.claim(now + events_review.LEASE)

    assert first
    assert second is None
    assert after_the_lease
    assert after_the_lease.id == first.id


def test_a_subscription_that_fails_in_a_way_nobody_foresaw_is_put_off_ever_longer_and_holds_up_no_other(
    app: Flask, sandbox: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    with app.app_context():
        apply.ingest(parse_event(eventbridge_event("License Updated - Manufacturer")))
    run_transaction(app, lambda connection: connection.execute(update(Event).values(body={})))
    land(app, act(sandbox, bought(sandbox), "confirm"))
    [spoilt, other] = all_rows(app, Subscription)

    pauses = [review_in_time(app, spoilt.id) for _ in range(3)]

    assert all_rows(app, Subscription)[1].review_at is None
    assert other.review_at
    assert events_review.LEASE < pauses[1] < pauses[2]
    assert '"event": "review.failed"' in capsys.readouterr().err
    run_transaction(app, lambda connection: connection.execute(delete(Event)))
    review_in_time(app, spoilt.id)
    assert [each.review_failures for each in all_rows(app, Subscription)] == [0, 0]


def review_in_time(app: Flask, subscription_id: UUID) -> timedelta:
    """Review everything once that one is due, and return how long it is put off."""
    found = next(each for each in all_rows(app, Subscription) if each.id == subscription_id)
    assert found.review_at
    now = max(found.review_at, datetime.now(UTC)) + timedelta(seconds=1)
    with app.app_context(), time_machine.travel(now, tick=False):
        assert [events_review.process_next() for _ in range(3)][-1] is None
    again = next(each for each in all_rows(app, Subscription) if each.id == subscription_id)
    return again.review_at - now if again.review_at else timedelta()


def test_an_end_that_lies_behind_is_told_as_expired() -> None:
    over = entitlements.StoredEntitlement("seats", 25, minutes_after_noon(0))

    assert over.expired(minutes_after_noon(0))
    assert not over.expired(minutes_after_noon(-1))
    assert not entitlements.StoredEntitlement("seats", 25, None).expired(minutes_after_noon(0))
