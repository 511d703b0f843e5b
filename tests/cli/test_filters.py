"""Filters of the lists: parts of names, since when, until when, and values that are no such thing."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskCliRunner
from sqlalchemy import update

from app.database import transactions
from app.models import Registration
from tests.cli.command_output import list_rows, table_cells
from tests.cli.conftest import CreateRegistration, CreateSubscription
from tests.support.databases import on_sqlite
from tests.support.subscription_rows import insert_changed_at, update_subscription

LICENSE = "arn:aws:license-manager::294406891311:license:l-{}"
LISTS = ("drafts", "events", "handoffs", "invitations", "mails", "registrations", "subscriptions")


def purchase(number: int) -> dict[str, str]:
    return {"license_arn": LICENSE.format(number), "agreement_id": f"agmt-{number}"}


def companies(runner: FlaskCliRunner, *options: str) -> list[str]:
    return [row["company"] for row in list_rows(runner, "registrations", *options)]


def set_created_at(app: Flask, company: str, created_at: datetime) -> None:
    with app.app_context():
        change = update(Registration).where(Registration.company == company).values(created_at=created_at)
        transactions.write(lambda connection: connection.execute(change))


@pytest.mark.parametrize(
    "text", ["lovelace", "LOVELACE", "ove", "Ärzte", "ärzte", "ÄRZTE", "@wien", "ada@wien.example", "  lovelace "]
)
def test_search_finds_a_part_of_company_name_or_address(
    runner: FlaskCliRunner, create_registration: CreateRegistration, text: str
) -> None:
    create_registration(purchase(1), company="Ärzte Wien", full_name="Ada Lovelace", email="Ada@Wien.example")
    create_registration(purchase(2), company="Quillfeather", full_name="Marie Curie", email="marie@example.com")

    assert companies(runner, "--search", text) == ["Ärzte Wien"]
    assert [row["company"] for row in list_rows(runner, "subscriptions", "--search", text)] == ["Ärzte Wien"]


@pytest.mark.parametrize("text", ["100%", "a_b", "%%", "\\\\", "O'Neil"])
def test_search_takes_signs_of_patterns_for_themselves(
    runner: FlaskCliRunner, create_registration: CreateRegistration, text: str
) -> None:
    create_registration(purchase(1), company="100 axb")
    create_registration(purchase(2), company=f"We are {text}")

    assert companies(runner, "--search", text) == [f"We are {text}"]


@pytest.mark.parametrize(
    ("since", "found"),
    [
        ("24h", ["new"]),
        ("7d", ["new"]),
        ("2w", ["week", "new"]),
        ("90 D", ["quarter", "week", "new"]),
        ("1min", ["new"]),
        ("2000-01-01", ["quarter", "week", "new"]),
    ],
)
def test_since_takes_a_date_or_a_time_ago(
    app: Flask, runner: FlaskCliRunner, create_registration: CreateRegistration, since: str, found: list[str]
) -> None:
    now = datetime.now(UTC)
    for number, (company, days) in enumerate((("new", 0), ("week", 8), ("quarter", 80))):
        create_registration(purchase(number), company=company)
        set_created_at(app, company, now - timedelta(days=days))

    assert companies(runner, "--since", since) == found
    day = (now - timedelta(days=8)).date().isoformat()
    assert companies(runner, "--since", day) == ["week", "new"]
    assert companies(runner, "--since", f"{day}T00:00:00Z") == ["week", "new"]


@on_sqlite
@pytest.mark.parametrize("group", [group for group in LISTS if group != "drafts"])
def test_every_list_of_what_happened_takes_since(
    runner: FlaskCliRunner, create_registration: CreateRegistration, group: str
) -> None:
    create_registration()

    assert isinstance(list_rows(runner, group, "--since", "1h"), list)


def test_contracts_that_end_soon_are_listed_next_to_end_first(app: Flask, runner: FlaskCliRunner) -> None:
    now = datetime.now(UTC)
    for days in (-1, 40, 20, 3, 12):
        (id_,) = insert_changed_at(app, now)
        update_subscription(app, id_, now, ends_at=now + timedelta(days=days), agreement_id=f"agmt-{days}")
    (ended,) = insert_changed_at(app, now, status="ended", ends_at=now + timedelta(days=2))
    insert_changed_at(app, now)
    until = (now + timedelta(days=12)).date().isoformat()

    def agreements(within: str) -> list[str]:
        return [row["agreement_id"] for row in list_rows(runner, "subscriptions", "--ending-within", within)]

    assert agreements("30d") == ["agmt-3", "agmt-12", "agmt-20"]
    assert agreements("1w") == ["agmt-3"]
    assert agreements(until) == ["agmt-3", "agmt-12"]
    assert str(ended) not in agreements("30d")


def test_contract_without_an_agreement_ends_with_its_last_entitlement(app: Flask, runner: FlaskCliRunner) -> None:
    now = datetime.now(UTC)

    def sell(name: str, *days: float | None, **values: Any) -> None:
        ends = [None if day is None else (now + timedelta(days=day)).isoformat() for day in days]
        items = [{"dimension": "Users", "value": 1, "expires_at": end} for end in ends]
        (id_,) = insert_changed_at(app, now)
        update_subscription(app, id_, now, agreement_id=name, entitlements=items, **values)

    sell("earlier", -30, 5.5)
    sell("past", -30, -1)
    sell("later", 5, 45)
    sell("endless", 5, None)
    sell("by use")
    sell("agreement", 5, ends_at=now + timedelta(days=45))
    sell("first", 50, ends_at=now + timedelta(days=2))
    sell("over", 3, status="ended")

    listed = list_rows(runner, "subscriptions", "--ending-within", "30d")
    printed = runner.invoke(args=["subscriptions", "list", "--ending-within", "30d"]).stdout

    assert [row["agreement_id"] for row in listed] == ["first", "earlier"]
    assert [row["contract_ends_at"][:10] for row in listed] == [
        (now + timedelta(days=days)).date().isoformat() for days in (2, 5.5)
    ]
    assert [table_cells(line)[1] for line in printed.splitlines()[1:]] == [row["contract_ends_at"] for row in listed]
    customer = runner.invoke(args=["customer", listed[1]["id"]]).stdout
    assert re.search(rf"^  ends +{listed[1]['contract_ends_at'][:10]}", customer, re.MULTILINE)


@on_sqlite
@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        (["registrations", "list", "--account", "12"], "12 digits"),
        (["registrations", "list", "--account", "１２３４５６７８９０１２"], "12 digits"),
        (["registrations", "list", "--account", "agmt-1"], "12 digits"),
        (["subscriptions", "list", "--account", "1234-5678-901"], "12 digits"),
        (["registrations", "list", "--email", "lovelace"], "--search"),
        (["registrations", "list", "--email", "@example.com"], "whole address"),
        (["registrations", "list", "--email", "ada@a b"], "whole address"),
        (["drafts", "list", "--email", "lovelace"], "whole address"),
        (["mails", "list", "--email", "lovelace"], "whole address"),
        (["subscriptions", "list", "--product", "nosuch"], "prodcode1234567890"),
        (["registrations", "list", "--product", "nosuch", "--json"], "prodcode1234567890"),
        (["events", "list", "--product", ""], "prodcode1234567890"),
        (["handoffs", "list", "--product", "nosuch"], "prodcode1234567890"),
        (["registrations", "list", "--search", " a "], "two characters"),
        (["registrations", "list", "--since", "yesterday"], "7d or 24h"),
        (["registrations", "list", "--since", "-7d"], "7d or 24h"),
        (["registrations", "list", "--since", "999999w"], "7d or 24h"),
        (["registrations", "list", "--since", "2026-13-01"], "7d or 24h"),
        (["registrations", "list", "--since", "٣d"], "7d or 24h"),
        (["registrations", "list", "--since", "9998-01-01"], "future"),
        (["registrations", "list", "--since", "0001-01-01T00:00+23:00"], "7d or 24h"),
        (["subscriptions", "list", "--ending-within", "soon"], "30d or 4w"),
        (["subscriptions", "list", "--ending-within", "2020-01-01"], "past"),
        (["events", "list", "--subscription", "xyz"], "its beginning"),
        (["mails", "list", "--subscription", ""], "its beginning"),
    ],
)
def test_value_that_is_no_such_thing_is_refused_and_says_what_is_wanted(
    runner: FlaskCliRunner, create_registration: CreateRegistration, arguments: list[str], wanted: str
) -> None:
    create_registration()

    result = runner.invoke(args=arguments)

    assert (result.exit_code, result.stdout) == (2, "")
    assert wanted in result.stderr.replace("\n", " ")


def test_valid_filter_without_a_match_says_so_and_succeeds(
    runner: FlaskCliRunner, create_registration: CreateRegistration
) -> None:
    create_registration()

    for options in (["--account", "999999999999"], ["--email", "nobody@example.com"], ["--search", "nobody"]):
        result = runner.invoke(args=["registrations", "list", *options])
        assert (result.exit_code, result.stdout, result.stderr) == (0, "", "Nothing matches.\n")


def test_product_that_left_the_settings_still_selects_its_purchases(
    runner: FlaskCliRunner, create_subscription: CreateSubscription
) -> None:
    subscription_id = create_subscription(product_code="formerproduct")

    rows = list_rows(runner, "subscriptions", "--product", "formerproduct")

    assert [row["id"] for row in rows] == [str(subscription_id)]
