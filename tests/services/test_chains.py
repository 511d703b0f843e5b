"""Agreements of one AWS account are joined one after the other, whatever agreements each turns out to be about."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import Flask

from app import database
from app.models import Subscription
from app.services import chains, events, reviews, subscriptions
from tests import factories
from tests.databases import on_postgresql, somebody_waits
from tests.events import ACCOUNT, at, eventbridge, notice
from tests.promised import UPDATED
from tests.stored import stored


@on_postgresql
@pytest.mark.parametrize("comes", ["event", "landing"])
def test_who_joins_another_agreement_of_the_account_waits_and_holds_none_meanwhile(app: Flask, comes: str) -> None:
    with app.app_context():
        subscriptions.arrive(factories.arrival(agreement_id="agmt-b", account_id=ACCOUNT))

    def join() -> object:
        with app.app_context():
            if comes == "landing":
                return reviews.review_next()
            return events.receive(notice(eventbridge(UPDATED, at(1), agreement="agmt-b")))

    with app.app_context(), ThreadPoolExecutor(1) as threads:
        with database.current().writing.begin() as connection:
            chains.hold(connection, ("agmt-a",), account_id=ACCOUNT)
            joining = threads.submit(join)
            while not somebody_waits():
                assert not joining.done()
            chains.hold(connection, ("agmt-b",), account_id=ACCOUNT)
        assert joining.result(10)

    assert [subscription.agreement_id for subscription in stored(app, Subscription)] == ["agmt-b"]
