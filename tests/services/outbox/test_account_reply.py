"""What an account's stored replies add up to after each further reply."""

from functools import partial
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Row

from app.database import transactions
from app.models import Account
from app.services.outbox import account_reply
from app.services.outbox.account_reply import AccountReply
from tests.support.databases import on_sqlite
from tests.support.outbox_messages import register_customer
from tests.support.stored_rows import all_rows

pytestmark = on_sqlite
REFUSED = AccountReply(refused="confirmation_needed")
TEAM = AccountReply(url="https://app.acme.example/t/7", reference="team-7")


def store_replies(app: Flask, *replies: tuple[AccountReply, bool]) -> tuple[list[bool], Row[Any]]:
    """Store replies, each with `account_requested`; return whether each changed anything, and the account."""
    subscription_id = register_customer(app)
    changes = []
    for reply, account_requested in replies:
        store = partial(
            account_reply.store, subscription_id=subscription_id, reply=reply, account_requested=account_requested
        )
        with app.app_context():
            changes.append(transactions.write(store))
    (account,) = all_rows(app, Account)
    return changes, account


@pytest.mark.parametrize("named", [TEAM, AccountReply(url=TEAM.url), AccountReply(reference="team-7")])
def test_reply_that_names_an_account_ends_the_refusal(app: Flask, named: AccountReply) -> None:
    changes, account = store_replies(app, (REFUSED, True), (named, False))

    assert changes == [True, True]
    assert (account.url, account.reference, account.refused) == (named.url, named.reference, None)


def test_empty_reply_to_another_event_keeps_the_refusal(app: Flask) -> None:
    changes, account = store_replies(app, (REFUSED, True), (AccountReply(), False))

    assert changes == [True, False]
    assert account.refused == "confirmation_needed"


def test_reply_with_reference_and_refusal_stores_both(app: Flask) -> None:
    _, account = store_replies(app, (TEAM, True), (AccountReply(refused="not_allowed", reference="team-8"), True))

    assert (account.reference, account.refused) == ("team-8", "not_allowed")


def test_another_reference_drops_the_earlier_url(app: Flask) -> None:
    changes, account = store_replies(app, (TEAM, True), (AccountReply(reference="team-8"), True))

    assert changes == [True, True]
    assert (account.url, account.reference) == (None, "team-8")


@pytest.mark.parametrize("repeated", [AccountReply(reference="team-7"), AccountReply()])
def test_reply_without_url_keeps_the_url(app: Flask, repeated: AccountReply) -> None:
    _, account = store_replies(app, (TEAM, True), (repeated, True))

    assert account.url == TEAM.url


def test_reference_may_follow_the_url_in_a_later_reply(app: Flask) -> None:
    _, account = store_replies(app, (AccountReply(url=TEAM.url), True), (AccountReply(reference="team-7"), True))

    assert (account.url, account.reference) == (TEAM.url, "team-7")


def test_same_reply_again_changes_nothing(app: Flask) -> None:
    changes, _ = store_replies(app, (TEAM, True), (TEAM, True), (TEAM, False))

    assert changes == [True, False, False]
