"""Answers: what of an earlier answer stands after a later one."""

from functools import partial
from typing import Any

import pytest
from flask import Flask

from app.database import engine
from app.models import Account
from app.services.outbox import account_reply
from app.services.outbox.account_reply import AccountReply
from tests.support.databases import on_sqlite
from tests.support.outbox_messages import register_customer
from tests.support.stored_rows import all_rows

pytestmark = on_sqlite
REFUSED = AccountReply(refused="confirmation_needed")
TEAM = AccountReply(url="https://app.acme.example/t/7", reference="team-7")


def kept(app: Flask, *said: tuple[AccountReply, bool]) -> tuple[list[bool], Account]:
    """Return whether each answer, and whether it was about the account, was news; and what is kept."""
    subscription_id = register_customer(app)
    news: list[bool] = []
    for answer, is_about_account in said:
        values: dict[str, Any] = {
            "subscription_id": subscription_id,
            "reply": answer,
            "account_requested": is_about_account,
        }
        with app.app_context():
            news.append(engine.current_database().write(partial(account_reply.store, **values)))
    (account,) = all_rows(app, Account)
    return news, account


@pytest.mark.parametrize("named", [TEAM, AccountReply(url=TEAM.url), AccountReply(reference="team-7")])
def test_who_names_an_account_at_any_event_refuses_no_more(app: Flask, named: AccountReply) -> None:
    news, account = kept(app, (REFUSED, True), (named, False))

    assert news == [True, True]
    assert (account.url, account.reference, account.refused) == (named.url, named.reference, None)


def test_who_says_nothing_at_another_event_still_refuses(app: Flask) -> None:
    news, account = kept(app, (REFUSED, True), (AccountReply(), False))

    assert news == [True, False]
    assert account.refused == "confirmation_needed"


def test_who_refuses_and_names_an_account_refuses(app: Flask) -> None:
    _, account = kept(app, (TEAM, True), (AccountReply(refused="not_allowed", reference="team-8"), True))

    assert (account.reference, account.refused) == ("team-8", "not_allowed")


def test_another_accounts_address_is_not_the_one_of_the_account_before(app: Flask) -> None:
    news, account = kept(app, (TEAM, True), (AccountReply(reference="team-8"), True))

    assert news == [True, True]
    assert (account.url, account.reference) == (None, "team-8")


@pytest.mark.parametrize("again", [AccountReply(reference="team-7"), AccountReply()])
def test_the_same_accounts_address_need_not_be_said_again(app: Flask, again: AccountReply) -> None:
    _, account = kept(app, (TEAM, True), (again, True))

    assert account.url == TEAM.url


def test_an_address_and_its_accounts_name_may_be_said_one_after_the_other(app: Flask) -> None:
    _, account = kept(app, (AccountReply(url=TEAM.url), True), (AccountReply(reference="team-7"), True))

    assert (account.url, account.reference) == (TEAM.url, "team-7")


def test_the_same_answer_again_is_no_news(app: Flask) -> None:
    news, _ = kept(app, (TEAM, True), (TEAM, True), (TEAM, False))

    assert news == [True, False, False]
