"""Parked tokens in the background: tried again until AWS judges them or their time is up, by one worker at a time."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
import time_machine
from flask import Flask
from sqlalchemy import Row, insert, update

from app import create_app
from app.database import engine
from app.models import PendingToken
from app.services.purchases import subscriptions
from app.services.purchases.purchase import Pending, UnverifiedFields
from app.services.reports import gauges
from app.services.signup import pending_tokens, registrations, resume_links, retry_pending
from app.services.signup.pending_tokens import PendingTokensFull
from sandbox.server import Sandbox
from tests.support import factories

StorePendingToken = Callable[..., Pending]


@pytest.fixture
def store_pending_token(app: Flask, sandbox: Sandbox) -> StorePendingToken:
    """Parks the token of a new purchase."""

    def park(**order: object) -> Pending:
        with app.app_context():
            return pending_tokens.store(
                factories.token(sandbox, **order), UnverifiedFields("free-trial", {"product-id": "prod-1"})
            )

    return park


def try_once(app: Flask, **later: float) -> bool | None:
    with app.app_context(), time_machine.travel(datetime.now(UTC) + timedelta(**later), tick=False):
        return retry_pending.resolve_next()


def found(app: Flask, parked_id: UUID) -> Row[Any]:
    with app.app_context():
        token = pending_tokens.find(parked_id)
    assert token
    return token


def switch(sandbox: Sandbox, **faults: object) -> None:
    sandbox.marketplace.faults = sandbox.marketplace.faults.model_copy(update=faults)


def test_a_token_is_not_tried_before_it_is_due(app: Flask, store_pending_token: StorePendingToken) -> None:
    store_pending_token()

    assert try_once(app, seconds=1) is None
    assert try_once(app, seconds=3) is True


def test_a_resolved_token_is_erased_and_remembers_its_purchase(
    app: Flask, store_pending_token: StorePendingToken
) -> None:
    parked = store_pending_token()

    try_once(app, seconds=3)

    token = found(app, parked.id)
    assert (token.sealed, token.next_try_at, token.fault) == (None, None, None)
    assert token.subscription_id
    assert token.settled_at


@pytest.mark.parametrize("fault", ["aws_down", "access_denied", "credentials_expired", "api_disabled", "no_customer"])
def test_what_may_pass_is_tried_again_ever_later(
    app: Flask, sandbox: Sandbox, store_pending_token: StorePendingToken, fault: str
) -> None:
    parked = store_pending_token()
    switch(sandbox, **{fault: True})

    outcomes = [try_once(app, minutes=minutes) for minutes in (1, 2, 3)]

    token = found(app, parked.id)
    assert outcomes == [False, False, False]
    assert token.tries == 3
    assert token.sealed
    assert token.fault
    switch(sandbox, **{fault: False})
    assert try_once(app, minutes=4) is True


def test_the_pause_between_tries_grows_and_has_an_end(
    app: Flask, sandbox: Sandbox, store_pending_token: StorePendingToken
) -> None:
    parked = store_pending_token()
    switch(sandbox, aws_down=True)
    pauses = []
    for minutes in range(10, 160, 10):
        moment = datetime.now(UTC) + timedelta(minutes=minutes)
        with app.app_context(), time_machine.travel(moment, tick=False):
            retry_pending.resolve_next()
        due = found(app, parked.id).next_try_at
        assert due
        pauses.append((due - moment).total_seconds())

    assert all(1.9 <= pause <= 300.1 for pause in pauses)
    assert max(pauses[:2]) <= 8.1
    assert max(pauses[5:]) > 30


@pytest.mark.parametrize(("fault", "name"), [("invalid", "InvalidToken"), ("expired", "ExpiredToken")])
def test_what_aws_has_refused_is_dead_and_erased(
    app: Flask, sandbox: Sandbox, store_pending_token: StorePendingToken, fault: str, name: str
) -> None:
    parked = store_pending_token()
    switch(sandbox, **{fault: True})

    assert try_once(app, seconds=3) is True

    token = found(app, parked.id)
    assert (token.sealed, token.next_try_at, token.fault, token.subscription_id) == (None, None, name, None)


def test_a_token_dies_when_its_time_is_up_though_aws_never_answered(
    app: Flask, sandbox: Sandbox, store_pending_token: StorePendingToken
) -> None:
    parked = store_pending_token()
    switch(sandbox, aws_down=True)

    assert try_once(app, hours=3, minutes=59) is False
    assert try_once(app, hours=4, minutes=6) is True

    token = found(app, parked.id)
    assert (token.sealed, token.fault) == (None, "MarketplaceUnavailable")


def test_a_worker_that_was_killed_half_way_leaves_its_token_to_another(
    app: Flask, store_pending_token: StorePendingToken
) -> None:
    parked = store_pending_token()
    now = datetime.now(UTC) + timedelta(seconds=3)
    with app.app_context():
        claimed = retry_pending.claim(now)
        meanwhile = retry_pending.claim(now + timedelta(seconds=30))
        later = retry_pending.claim(now + retry_pending.LEASE)

    assert claimed
    assert claimed.lease.id == parked.id
    assert meanwhile is None
    assert later
    assert later.lease.id == parked.id


def test_two_workers_never_try_the_same_token_at_once(app: Flask, store_pending_token: StorePendingToken) -> None:
    parked = {store_pending_token().id for _ in range(12)}
    now = datetime.now(UTC) + timedelta(seconds=3)

    def claim(_: int) -> UUID | None:
        with app.app_context():
            claimed = retry_pending.claim(now)
        return claimed.lease.id if claimed else None

    claims: list[UUID] = []
    with ThreadPoolExecutor(6) as workers:
        while last := claim(0):
            claims += [last, *filter(None, workers.map(claim, range(6)))]

    assert len(claims) == len(set(claims))
    assert set(claims) == parked


def test_a_token_parked_under_the_key_before_is_still_read(
    environment: pytest.MonkeyPatch, app: Flask, store_pending_token: StorePendingToken
) -> None:
    parked = store_pending_token()
    environment.setenv("SECRET_KEY", "the-next-key-0123456789")
    environment.setenv("SECRET_KEY_FALLBACKS", factories.SECRET_KEY)

    with factories.open_app(create_app()) as rotated:
        assert try_once(rotated, seconds=3) is True

    assert found(app, parked.id).subscription_id


def test_a_token_whose_key_is_gone_is_dead(
    environment: pytest.MonkeyPatch, app: Flask, store_pending_token: StorePendingToken
) -> None:
    parked = store_pending_token()
    environment.setenv("SECRET_KEY", "a-new-key-without-the-old-one")

    with factories.open_app(create_app()) as rotated:
        assert try_once(rotated, seconds=3) is True

    assert found(app, parked.id).fault == "ExpiredToken"


def test_parking_has_a_ceiling(app: Flask, sandbox: Sandbox, store_pending_token: StorePendingToken) -> None:
    known = factories.token(sandbox)
    with app.app_context():
        pending_tokens.store(known, UnverifiedFields())
        with engine.current_database().write_engine.begin() as connection:
            rows = [
                {
                    "digest": number.to_bytes(32, "big"),
                    "sealed": b"x",
                    "parked_at": datetime.now(UTC),
                    "next_try_at": datetime.now(UTC),
                }
                for number in range(pending_tokens.MAX_PENDING - 1)
            ]
            connection.execute(insert(PendingToken), rows)

        with pytest.raises(PendingTokensFull, match="TooManyParked"):
            pending_tokens.store(factories.token(sandbox), UnverifiedFields())

        assert pending_tokens.store(known, UnverifiedFields())


def test_a_settled_token_is_forgotten_once_nobody_can_ask_for_it(
    app: Flask, store_pending_token: StorePendingToken
) -> None:
    plain, registered = store_pending_token(), store_pending_token()
    with app.app_context():
        registrations.complete(registered, factories.answers())
    for minutes in (1, 2):
        try_once(app, minutes=minutes)
    dead = store_pending_token()
    with app.app_context():
        registrations.complete(dead, factories.answers())
    try_once(app, hours=5)

    def forgotten(**later: float) -> int:
        with app.app_context(), time_machine.travel(datetime.now(UTC) + timedelta(**later), tick=False):
            return pending_tokens.purge()

    assert forgotten(hours=24) == 0
    assert forgotten(hours=31) == 2
    with app.app_context():
        assert pending_tokens.find(plain.id) is None
        assert pending_tokens.find(dead.id)


def test_a_form_sent_while_its_token_is_being_resolved_is_always_linked(
    app: Flask, store_pending_token: StorePendingToken
) -> None:
    parked = [store_pending_token() for _ in range(10)]

    def sign_up(purchase: Pending) -> None:
        with app.app_context():
            registrations.complete(purchase, factories.answers())

    def resolve(_: int) -> None:
        try_once(app, seconds=3)

    with ThreadPoolExecutor(8) as threads:
        list(
            threads.map(
                lambda work: work[0](work[1]), [(w, a) for p in parked for w, a in ((resolve, 0), (sign_up, p))]
            )
        )
    while try_once(app, seconds=3):
        pass

    with app.app_context():
        assert gauges.current()["foyer_unlinked_registrations"] == 0
        assert gauges.current()["foyer_parked_tokens"] == 0
        assert len({found(app, purchase.id).subscription_id for purchase in parked}) == len(parked)


def test_a_form_sent_while_its_purchase_is_being_joined_waits_and_is_the_purchases(
    app: Flask, store_pending_token: StorePendingToken
) -> None:
    parked = store_pending_token()
    sent: list[registrations.StoredRegistration] = []

    def send() -> None:
        with app.app_context():
            sent.append(registrations.complete(parked, factories.answers()))

    buyer = threading.Thread(target=send)
    with app.app_context(), engine.current_database().write_engine.begin() as connection:
        subscription_id = subscriptions.upsert_in_transaction(connection, factories.landing())
        settled = {"sealed": None, "next_try_at": None, "settled_at": datetime.now(UTC)}
        resolved = update(PendingToken).values(**settled, subscription_id=subscription_id)
        connection.execute(resolved.where(PendingToken.id == parked.id))
        buyer.start()
        # Long enough for a form that does not wait to be kept as it is.
        buyer.join(0.5)
    buyer.join()

    assert [completed.subscription_id for completed in sent] == [subscription_id]
    with app.app_context():
        assert gauges.current()["foyer_unlinked_registrations"] == 0


def test_a_registration_taken_over_by_a_purchase_that_has_one_leaves_no_second(
    app: Flask, store_pending_token: StorePendingToken
) -> None:
    parked = store_pending_token()
    with app.app_context():
        unlinked = registrations.complete(parked, factories.answers(company="Before"))
        first = registrations.complete(factories.resolved(), factories.answers(company="First"))
    try_once(app, hours=5)

    with app.app_context():
        last = registrations.complete(
            factories.resolved(), factories.answers(company="Last"), [unlinked.registration_id]
        )

        assert last.registration_id == first.registration_id
        assert not resume_links.is_without_purchase(unlinked.registration_id)


def test_a_registration_of_another_address_is_left_to_the_operator(
    app: Flask, store_pending_token: StorePendingToken
) -> None:
    parked = store_pending_token()
    with app.app_context():
        adas = registrations.complete(parked, factories.answers()).registration_id
    try_once(app, hours=6)

    with app.app_context():
        registrations.complete(factories.resolved(), factories.answers(email="bob@example.com"), [adas])

        assert resume_links.is_without_purchase(adas)


def test_a_form_sent_again_after_its_token_died_is_the_same_registration(
    app: Flask, store_pending_token: StorePendingToken
) -> None:
    parked = store_pending_token()
    with app.app_context():
        first = registrations.complete(parked, factories.answers())
    try_once(app, hours=6)

    with app.app_context():
        again = registrations.complete(parked, factories.answers(company="Juniper"), [first.registration_id])

        assert again.registration_id == first.registration_id
        found = registrations.find_by_purchase(parked)
        assert found
        assert found.company == "Juniper"


def test_a_product_that_is_not_configured_yet_is_tried_again(
    app: Flask, sandbox: Sandbox, store_pending_token: StorePendingToken
) -> None:
    parked = store_pending_token()
    switch(sandbox, other_product=True)

    assert try_once(app, seconds=3) is True

    token = found(app, parked.id)
    assert token.sealed
    assert token.fault == "UnknownProduct"
    switch(sandbox, other_product=False)
    try_once(app, minutes=10)
    assert found(app, parked.id).subscription_id


def test_a_worker_past_its_lease_changes_nothing_that_another_has_settled(
    app: Flask, store_pending_token: StorePendingToken
) -> None:
    parked = store_pending_token()
    now = datetime.now(UTC) + timedelta(seconds=3)
    with app.app_context():
        late = retry_pending.claim(now)
        assert late
    try_once(app, minutes=5)
    settled = found(app, parked.id)
    assert settled.subscription_id

    with app.app_context():
        retry_pending.give_up(late, "ExpiredToken")
        retry_pending.reschedule(late, "Throttled")

    token = found(app, parked.id)
    assert (token.fault, token.next_try_at, token.settled_at) == (None, None, settled.settled_at)


def test_a_token_that_nothing_can_be_done_with_is_given_up_in_the_end(
    app: Flask, store_pending_token: StorePendingToken
) -> None:
    parked = store_pending_token()

    assert try_once(app, hours=5, minutes=1) is True

    token = found(app, parked.id)
    assert (token.sealed, token.subscription_id) == (None, None)
