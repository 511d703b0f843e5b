"""Agreements of one AWS account are joined one after the other, whatever agreements each turns out to be about."""

from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from flask import Flask
from sqlalchemy import Connection, update

from app.database import engine
from app.database.transactions import transaction
from app.models import Subscription
from app.services.events import agreements, apply, merge
from app.services.events import review as events_review
from app.services.purchases import subscriptions
from tests.support import factories
from tests.support.aws_events import ACCOUNT_ID, eventbridge_event, minutes_after_noon, parse_event
from tests.support.databases import has_waiting_transaction, on_postgresql
from tests.support.outbox_messages import LICENSE_UPDATED
from tests.support.personal_data import run_transaction
from tests.support.stored_rows import all_rows


@on_postgresql
@pytest.mark.parametrize("comes", ["event", "landing"])
def test_who_joins_another_agreement_of_the_account_waits_and_holds_none_meanwhile(app: Flask, comes: str) -> None:
    with app.app_context():
        subscriptions.upsert_from_landing(factories.landing(agreement_id="agmt-b", customer_aws_account_id=ACCOUNT_ID))

    def join() -> object:
        with app.app_context():
            if comes == "landing":
                return events_review.process_next()
            return apply.ingest(
                parse_event(eventbridge_event(LICENSE_UPDATED, minutes_after_noon(1), agreement="agmt-b"))
            )

    with app.app_context(), ThreadPoolExecutor(1) as threads:
        with engine.current_database().write_engine.begin() as connection:
            agreements.lock_chain(connection, ("agmt-a",), account_id=ACCOUNT_ID)
            joining = threads.submit(join)
            while not has_waiting_transaction():
                assert not joining.done()
            agreements.lock_chain(connection, ("agmt-b",), account_id=ACCOUNT_ID)
        assert joining.result(10)

    assert [subscription.agreement_id for subscription in all_rows(app, Subscription)] == ["agmt-b"]


@on_postgresql
def test_a_purchase_that_becomes_part_of_another_while_it_waits_to_be_reviewed_is_no_fault(
    app: Flask, capsys: pytest.CaptureFixture[str]
) -> None:
    with app.app_context():
        kept, gone = (
            subscriptions.upsert_from_landing(factories.landing(**landed, customer_aws_account_id=ACCOUNT_ID))
            for landed in ({}, {"license_arn": None})
        )
    run_transaction(
        app, lambda to: to.execute(update(Subscription).where(Subscription.id == kept).values(review_at=None))
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
            merge.merge(connection, kept, gone)
            return reviewing

        assert merge_while_review_waits().result(10)

    assert "review.failed" not in capsys.readouterr().err
    [subscription] = all_rows(app, Subscription)
    assert subscription.review_at
    assert subscription.review_at < datetime.now(UTC)
