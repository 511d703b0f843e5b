"""Locks of agreement chains: what belongs to one AWS account is matched by one transaction at a time."""

from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from flask import Flask
from sqlalchemy import Connection, update

from app.database import transactions
from app.database.transactions import transaction
from app.models import Subscription
from app.services.events import agreements, apply, merge
from app.services.events import review as events_review
from app.services.purchases import subscriptions
from tests.support import factories
from tests.support.aws_events import ACCOUNT_ID, LICENSE_UPDATED, eventbridge_event, minutes_after_noon, parse_event
from tests.support.databases import has_waiting_transaction, on_postgresql
from tests.support.personal_data import run_transaction
from tests.support.stored_rows import all_rows


@on_postgresql
@pytest.mark.parametrize("source", ["event", "landing"])
def test_matching_waits_for_the_account_before_it_locks_agreements(app: Flask, source: str) -> None:
    with app.app_context():
        subscriptions.upsert_from_landing(factories.landing(agreement_id="agmt-b", customer_aws_account_id=ACCOUNT_ID))

    def match() -> object:
        with app.app_context():
            if source == "landing":
                return events_review.process_next()
            return apply.ingest(
                parse_event(eventbridge_event(LICENSE_UPDATED, minutes_after_noon(1), agreement="agmt-b"))
            )

    with app.app_context(), ThreadPoolExecutor(1) as threads:
        with transactions.current_database().write_engine.begin() as connection:
            agreements.lock_chain(connection, ("agmt-a",), account_id=ACCOUNT_ID)
            matching = threads.submit(match)
            while not has_waiting_transaction():
                assert not matching.done()
            agreements.lock_chain(connection, ("agmt-b",), account_id=ACCOUNT_ID)
        assert matching.result(10)

    assert [subscription.agreement_id for subscription in all_rows(app, Subscription)] == ["agmt-b"]


@on_postgresql
def test_review_of_a_subscription_merged_meanwhile_is_no_error(app: Flask, capsys: pytest.CaptureFixture[str]) -> None:
    with app.app_context():
        target_id, source_id = (
            subscriptions.upsert_from_landing(factories.landing(**license_arn, customer_aws_account_id=ACCOUNT_ID))
            for license_arn in ({}, {"license_arn": None})
        )
    run_transaction(
        app,
        lambda connection: connection.execute(
            update(Subscription).where(Subscription.id == target_id).values(review_at=None)
        ),
    )

    def review() -> bool | None:
        with app.app_context():
            return events_review.process_next()

    with app.app_context(), ThreadPoolExecutor(1) as threads:

        @transaction
        def merge_while_review_waits(connection: Connection) -> Future[bool | None]:
            agreements.lock_chain(connection, (), account_id=ACCOUNT_ID)
            reviewing = threads.submit(review)
            while not has_waiting_transaction():
                assert not reviewing.done()
            merge.merge(connection, target_id, source_id)
            return reviewing

        assert merge_while_review_waits().result(10)

    assert "review.failed" not in capsys.readouterr().err
    [subscription] = all_rows(app, Subscription)
    assert subscription.review_at
    assert subscription.review_at < datetime.now(UTC)
