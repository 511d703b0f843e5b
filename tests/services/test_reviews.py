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
from app.services.purchases.aws_event import read
from app.services.purchases.purchase import Arrival
from sandbox.faults import Faults
from sandbox.purchases import Purchase
from sandbox.server import Sandbox
from tests import factories
from tests.events import at, eventbridge, notice
from tests.factories import CODE
from tests.services.people import write
from tests.stored import stored

MANY = [{"dimension": f"seats_{number}", "value": number} for number in range(30)]


@pytest.fixture(scope="module")
def running_sandbox() -> Iterator[Sandbox]:
    """A marketplace that sells a contract."""
    with Sandbox([Product(code=CODE, **{**factories.PRODUCT, "pricing": "contract"})]) as sandbox:
        yield sandbox


@pytest.fixture
def app(environment: pytest.MonkeyPatch) -> Iterator[Flask]:
    """The application of a seller of contracts."""
    environment.setenv("PRODUCT_PRICING", "contract")
    with factories.running(create_app()) as app:
        yield app


def bought(sandbox: Sandbox, **order: Any) -> Purchase:
    return sandbox.world.buy(factories.order(**order))


def act(sandbox: Sandbox, purchase: Purchase, action: str, **options: Any) -> Purchase:
    """Let something happen to the purchase that the application does not hear of; return what has become of it."""
    sandbox.world.act(purchase, action, delivery="late", **options)
    return sandbox.world.purchase(purchase.id)


def land(app: Flask, purchase: Purchase) -> None:
    customer = factories.customer(
        account_id=purchase.account_id,
        customer_identifier=purchase.customer_identifier,
        license_arn=purchase.license_arn,
        agreement_id=purchase.agreement_id if purchase.license_arn else None,
    )
    with app.app_context():
        subscriptions.arrive(Arrival(customer))


def hear(app: Flask, sandbox: Sandbox) -> None:
    """Let the application hear of everything that has happened so far."""
    with app.app_context():
        for event in sandbox.world.events():
            apply.receive(read(event.body, event.id, datetime.now(UTC)))


def review(app: Flask) -> list[bool | None]:
    with app.app_context():
        return [events_review.review_next(), events_review.review_next()]


def held(app: Flask) -> dict[str, object]:
    [subscription] = stored(app, Subscription)
    return {each.dimension: each.value for each in entitlements.of(subscription)}


def status(app: Flask) -> str:
    [subscription] = stored(app, Subscription)
    return subscription.status


@pytest.mark.parametrize("style", ["new", "old"])
def test_entitlements_are_read_after_a_landing_with_value_expiry_and_time(
    app: Flask, sandbox: Sandbox, style: str
) -> None:
    purchase = act(sandbox, bought(sandbox, style=style), "confirm")
    land(app, purchase)

    assert review(app) == [True, None]

    assert held(app) == {"seats": 25, "tier": "standard"}
    [subscription] = stored(app, Subscription)
    assert all(each.expires_at and each.expires_at > datetime.now(UTC) for each in entitlements.of(subscription))
    assert subscription.entitlements_read_at
    assert datetime.now(UTC) - subscription.entitlements_read_at < timedelta(minutes=1)


def test_all_pages_are_read_an_empty_one_among_them(app: Flask, sandbox: Sandbox) -> None:
    purchase = act(sandbox, bought(sandbox), "confirm")
    act(sandbox, purchase, "change_entitlements", entitlements=MANY)
    sandbox.world.faults = Faults(empty_page=True)
    land(app, purchase)

    review(app)

    assert len(held(app)) == 30


def test_the_entitlements_of_the_accounts_other_license_are_not_taken_for_these(app: Flask, sandbox: Sandbox) -> None:
    first = act(sandbox, bought(sandbox, account_id="044455556666"), "confirm")
    other = act(sandbox, bought(sandbox, account_id="044455556666"), "confirm")
    act(sandbox, other, "change_entitlements", entitlements=MANY)
    land(app, first)

    review(app)

    assert held(app) == {"seats": 25, "tier": "standard"}


def test_a_license_that_only_an_event_has_spelled_gets_its_own_entitlements_too(app: Flask, sandbox: Sandbox) -> None:
    first = act(sandbox, bought(sandbox, account_id="044455556666"), "confirm")
    other = act(sandbox, bought(sandbox, account_id="044455556666"), "confirm")
    act(sandbox, other, "change_entitlements", entitlements=MANY)
    license_id = str(first.license_arn).rpartition(":")[2]
    with app.app_context():
        spelled = eventbridge("License Updated - Manufacturer", license=license_id, account="044455556666")
        apply.receive(notice(spelled))

    review(app)

    assert held(app) == {"seats": 25, "tier": "standard"}


def test_a_change_of_entitlements_is_read_again(app: Flask, sandbox: Sandbox) -> None:
    purchase = act(sandbox, bought(sandbox), "confirm")
    land(app, purchase)
    hear(app, sandbox)
    review(app)
    act(sandbox, purchase, "change_entitlements", entitlements=[{"dimension": "seats", "value": 40}])

    hear(app, sandbox)
    review(app)

    assert held(app) == {"seats": 40}
    assert status(app) == "active"


def test_an_old_contract_begins_and_ends_as_its_entitlements_do(app: Flask, sandbox: Sandbox) -> None:
    purchase = bought(sandbox, style="old")
    land(app, purchase)
    review(app)
    before = (status(app), held(app))

    purchase = act(sandbox, purchase, "confirm")
    hear(app, sandbox)
    heard = status(app)
    review(app)
    confirmed = status(app)
    act(sandbox, purchase, "expire")
    hear(app, sandbox)
    review(app)

    assert before == ("pending", {})
    assert (heard, confirmed, status(app)) == ("pending", "active", "ended")


def test_who_pays_by_use_is_not_asked_about(environment: pytest.MonkeyPatch, sandbox: Sandbox) -> None:
    environment.setenv("PRODUCT_PRICING", "subscription")
    sandbox.world.faults = Faults(aws_down=True)
    with factories.running(create_app()) as app:
        land(app, bought(sandbox))

        assert review(app) == [True, None]
        [subscription] = stored(app, Subscription)

    assert (subscription.entitlements, subscription.entitlements_read_at, subscription.review_at) == (None, None, None)


def test_while_aws_does_not_tell_what_was_read_stands_and_is_asked_for_later(
    app: Flask, sandbox: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    purchase = act(sandbox, bought(sandbox), "confirm")
    land(app, purchase)
    review(app)
    sandbox.world.faults = Faults(access_denied=True)
    land(app, purchase)

    assert review(app) == [False, None]

    [subscription] = stored(app, Subscription)
    assert held(app) == {"seats": 25, "tier": "standard"}
    assert subscription.review_failures == 1
    assert '"fault": "PermissionDenied", "code": "AccessDeniedException", "event": "entitlements.unread"' in (
        capsys.readouterr().err
    )
    sandbox.world.faults = Faults()
    with time_machine.travel(datetime.now(UTC) + timedelta(seconds=events_review.LONGEST_PAUSE_SECONDS), tick=False):
        assert review(app)[0] is True
    assert [subscription.review_failures for subscription in stored(app, Subscription)] == [0]


def test_a_landing_while_aws_is_asked_is_reviewed_once_more(app: Flask, sandbox: Sandbox) -> None:
    purchase = act(sandbox, bought(sandbox), "confirm")
    land(app, purchase)
    with app.app_context():
        claimed = events_review.claim(datetime.now(UTC))
    land(app, purchase)

    assert claimed
    assert review(app)[0] is True


def test_entitlements_of_the_license_before_a_renewal_are_not_kept_for_the_present_one(
    app: Flask, sandbox: Sandbox
) -> None:
    purchase = act(sandbox, bought(sandbox), "confirm")
    land(app, purchase)
    hear(app, sandbox)
    with app.app_context():
        claimed = events_review.claim(datetime.now(UTC))
    [before] = stored(app, Subscription)
    act(sandbox, purchase, "renew", new_license=True)

    hear(app, sandbox)
    [renewed] = stored(app, Subscription)

    assert claimed
    assert renewed.purchase_key != before.purchase_key
    assert renewed.review_at
    assert renewed.review_at < claimed.lease
    assert review(app)[0] is True
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
        apply.receive(notice(eventbridge("License Updated - Manufacturer")))
    write(app, lambda connection: connection.execute(update(Event).values(body={})))
    land(app, act(sandbox, bought(sandbox), "confirm"))
    [spoilt, other] = stored(app, Subscription)

    pauses = [review_in_time(app, spoilt.id) for _ in range(3)]

    assert stored(app, Subscription)[1].review_at is None
    assert other.review_at
    assert events_review.LEASE < pauses[1] < pauses[2]
    assert '"event": "review.failed"' in capsys.readouterr().err
    write(app, lambda connection: connection.execute(delete(Event)))
    review_in_time(app, spoilt.id)
    assert [each.review_failures for each in stored(app, Subscription)] == [0, 0]


def review_in_time(app: Flask, subscription_id: UUID) -> timedelta:
    """Review everything once that one is due, and return how long it is put off."""
    found = next(each for each in stored(app, Subscription) if each.id == subscription_id)
    assert found.review_at
    now = max(found.review_at, datetime.now(UTC)) + timedelta(seconds=1)
    with app.app_context(), time_machine.travel(now, tick=False):
        assert [events_review.review_next() for _ in range(3)][-1] is None
    again = next(each for each in stored(app, Subscription) if each.id == subscription_id)
    return again.review_at - now if again.review_at else timedelta()


def test_an_end_that_lies_behind_is_told_as_expired() -> None:
    over = entitlements.Held("seats", 25, at(0))

    assert over.expired(at(0))
    assert not over.expired(at(-1))
    assert not entitlements.Held("seats", 25, None).expired(at(0))
