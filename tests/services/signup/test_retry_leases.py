"""Each pending token is tried by one worker at a time: the one with the lease."""

from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

from flask import Flask

from app.services.signup import retry_pending
from tests.support.clock import time_passes
from tests.support.pending_purchases import StorePendingToken, resolve_pending, stored_token


def test_token_of_a_killed_worker_is_claimed_after_its_lease(
    app: Flask, store_pending_token: StorePendingToken
) -> None:
    pending = store_pending_token()
    with app.app_context():
        with time_passes(seconds=3):
            first = retry_pending.claim()
        with time_passes(seconds=33):
            during_lease = retry_pending.claim()
        with time_passes(seconds=124):
            after_lease = retry_pending.claim()

    assert first
    assert first.lease.id == pending.id
    assert during_lease is None
    assert after_lease
    assert after_lease.lease.id == pending.id


def test_concurrent_workers_never_claim_the_same_token(app: Flask, store_pending_token: StorePendingToken) -> None:
    token_ids = {store_pending_token().id for _ in range(12)}

    def claim(_: int) -> UUID | None:
        with app.app_context():
            claimed = retry_pending.claim()
        return claimed.lease.id if claimed else None

    claimed_ids: list[UUID] = []
    with ThreadPoolExecutor(6) as workers, time_passes(seconds=3):
        while last := claim(0):
            claimed_ids += [last, *filter(None, workers.map(claim, range(6)))]

    assert len(claimed_ids) == len(set(claimed_ids))
    assert set(claimed_ids) == token_ids


def test_worker_past_its_lease_does_not_change_a_settled_token(
    app: Flask, store_pending_token: StorePendingToken
) -> None:
    pending = store_pending_token()
    with app.app_context(), time_passes(seconds=3):
        late = retry_pending.claim()
        assert late
    resolve_pending(app, minutes=5)
    settled = stored_token(app, pending.id)
    assert settled.subscription_id

    with app.app_context():
        retry_pending.give_up(late, "ExpiredToken")
        retry_pending.reschedule(late, "Throttled")

    token = stored_token(app, pending.id)
    assert (token.fault, token.next_try_at, token.settled_at) == (None, None, settled.settled_at)
