"""Agreements of one AWS account are joined one after the other, whatever agreements each turns out to be about."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from flask import Flask
from sqlalchemy import update

from app.database import transactions
from app.models import Subscription
from app.services.events import agreements, apply, merge
from app.services.events import review as events_review
from app.services.purchases import subscriptions
from tests import factories
from tests.databases import on_postgresql, somebody_waits
from tests.events import ACCOUNT, at, eventbridge, notice
from tests.promised import UPDATED
from tests.services.people import write
from tests.stored import stored


@on_postgresql
@pytest.mark.parametrize("comes", ["event", "landing"])
def test_who_joins_another_agreement_of_the_account_waits_and_holds_none_meanwhile(app: Flask, comes: str) -> None:
    with app.app_context():
        subscriptions.arrive(factories.arrival(agreement_id="agmt-b", account_id=ACCOUNT))

    def join() -> object:
        with app.app_context():
            if comes == "landing":
                return events_review.review_next()
            return apply.receive(notice(eventbridge(UPDATED, at(1), agreement="agmt-b")))

    with app.app_context(), ThreadPoolExecutor(1) as threads:
        with transactions.current().writing.begin() as connection:
            agreements.hold(connection, ("agmt-a",), account_id=ACCOUNT)
            joining = threads.submit(join)
            while not somebody_waits():
                assert not joining.done()
            agreements.hold(connection, ("agmt-b",), account_id=ACCOUNT)
        assert joining.result(10)

    assert [subscription.agreement_id for subscription in stored(app, Subscription)] == ["agmt-b"]


@on_postgresql
def test_a_purchase_that_becomes_part_of_another_while_it_waits_to_be_reviewed_is_no_fault(
    app: Flask, capsys: pytest.CaptureFixture[str]
) -> None:
    with app.app_context():
        kept, gone = (
            subscriptions.arrive(factories.arrival(**landed, account_id=ACCOUNT))
            for landed in ({}, {"license_arn": None})
        )
    write(app, lambda to: to.execute(update(Subscription).where(Subscription.id == kept).values(review_at=None)))

    def review() -> bool | None:
        with app.app_context():
            return events_review.review_next()

    with app.app_context(), ThreadPoolExecutor(1) as threads:
        with transactions.current().writing.begin() as connection:
            agreements.hold(connection, (), account_id=ACCOUNT)
            reviewing = threads.submit(review)
            while not somebody_waits():
                assert not reviewing.done()
            merge.merge(connection, kept, gone)
        assert reviewing.result(10)

    assert "review.failed" not in capsys.readouterr().err
    [subscription] = stored(app, Subscription)
    assert subscription.review_at
    assert subscription.review_at < datetime.now(UTC)
