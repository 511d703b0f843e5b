"""Answers: what of an earlier answer stands after a later one."""

from functools import partial
from typing import Any

import pytest
from flask import Flask

from app.database import transactions
from app.models import Account
from app.services.outbox import account_reply
from app.services.outbox.account_reply import ProductAnswer
from tests.databases import on_sqlite
from tests.promised import register
from tests.stored import stored

pytestmark = on_sqlite
REFUSED = ProductAnswer(refused="confirmation_needed")
TEAM = ProductAnswer(url="https://app.acme.example/t/7", reference="team-7")


def kept(app: Flask, *said: tuple[ProductAnswer, bool]) -> tuple[list[bool], Account]:
    """Return whether each answer, and whether it was about the account, was news; and what is kept."""
    subscription_id = register(app)
    news: list[bool] = []
    for answer, is_about_account in said:
        values: dict[str, Any] = {
            "subscription_id": subscription_id,
            "answer": answer,
            "is_about_account": is_about_account,
        }
        with app.app_context():
            news.append(transactions.current().write(partial(account_reply.keep, **values)))
    (account,) = stored(app, Account)
    return news, account


@pytest.mark.parametrize("named", [TEAM, ProductAnswer(url=TEAM.url), ProductAnswer(reference="team-7")])
def test_who_names_an_account_at_any_event_refuses_no_more(app: Flask, named: ProductAnswer) -> None:
    news, account = kept(app, (REFUSED, True), (named, False))

    assert news == [True, True]
    assert (account.url, account.reference, account.refused) == (named.url, named.reference, None)


def test_who_says_nothing_at_another_event_still_refuses(app: Flask) -> None:
    news, account = kept(app, (REFUSED, True), (ProductAnswer(), False))

    assert news == [True, False]
    assert account.refused == "confirmation_needed"


def test_who_refuses_and_names_an_account_refuses(app: Flask) -> None:
    _, account = kept(app, (TEAM, True), (ProductAnswer(refused="not_allowed", reference="team-8"), True))

    assert (account.reference, account.refused) == ("team-8", "not_allowed")


def test_another_accounts_address_is_not_the_one_of_the_account_before(app: Flask) -> None:
    news, account = kept(app, (TEAM, True), (ProductAnswer(reference="team-8"), True))

    assert news == [True, True]
    assert (account.url, account.reference) == (None, "team-8")


@pytest.mark.parametrize("again", [ProductAnswer(reference="team-7"), ProductAnswer()])
def test_the_same_accounts_address_need_not_be_said_again(app: Flask, again: ProductAnswer) -> None:
    _, account = kept(app, (TEAM, True), (again, True))

    assert account.url == TEAM.url


def test_an_address_and_its_accounts_name_may_be_said_one_after_the_other(app: Flask) -> None:
    _, account = kept(app, (ProductAnswer(url=TEAM.url), True), (ProductAnswer(reference="team-7"), True))

    assert (account.url, account.reference) == (TEAM.url, "team-7")


def test_the_same_answer_again_is_no_news(app: Flask) -> None:
    news, _ = kept(app, (TEAM, True), (TEAM, True), (TEAM, False))

    assert news == [True, False, False]
