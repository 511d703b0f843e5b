"""foyer subscriptions list, and show by each of a subscription's ids."""

import json

import pytest
from flask import Flask
from flask.testing import FlaskCliRunner
from sqlalchemy import update

from app.database import transactions
from app.models import Subscription
from tests.cli.command_output import list_rows
from tests.cli.conftest import CreateRegistration, CreateSubscription
from tests.support.factories import OTHER_PRODUCT_CODE, PRODUCT_CODE

ARN = "arn:aws:license-manager::294406891311:license:l-0123456789abcdef"
OTHER_ARN = "arn:aws:license-manager::294406891311:license:l-other"


def activate(app: Flask, license_arn: str) -> None:
    with app.app_context(), transactions.current_database().write_engine.begin() as connection:
        connection.execute(update(Subscription).where(Subscription.license_arn == license_arn).values(status="active"))


def test_subscriptions_are_listed_newest_first_registered_or_not(
    runner: FlaskCliRunner, create_subscription: CreateSubscription, create_registration: CreateRegistration
) -> None:
    create_registration({"license_arn": ARN}, email="ada@example.com")
    waiting = create_subscription(license_arn=OTHER_ARN)

    result = runner.invoke(args=["subscriptions", "list"])

    header, newest, oldest = result.stdout.splitlines()
    assert header.split()[:4] == ["id", "created_at", "status", "product_code"]
    assert newest.split()[0] == str(waiting)
    assert newest.split()[-2:] == ["-", "-"]
    assert oldest.split()[-1] == "ada@example.com"


@pytest.mark.parametrize(
    "filters",
    [["--status", "active"], ["--product", OTHER_PRODUCT_CODE], ["--account", "098765432109"], ["--limit", "1"]],
)
def test_filters_select_matching_subscriptions(
    app: Flask, runner: FlaskCliRunner, create_subscription: CreateSubscription, filters: list[str]
) -> None:
    create_subscription(license_arn=ARN, product_code=PRODUCT_CODE, customer_aws_account_id="012345678901")
    wanted = create_subscription(
        license_arn=OTHER_ARN, product_code=OTHER_PRODUCT_CODE, customer_aws_account_id="098765432109"
    )
    activate(app, OTHER_ARN)

    (row,) = list_rows(runner, "subscriptions", *filters)

    assert row["id"] == str(wanted)
    assert (row["status"], row["customer_aws_account_id"], row["registration_id"]) == ("active", "098765432109", None)


def test_unknown_status_is_refused_with_the_valid_ones(runner: FlaskCliRunner) -> None:
    result = runner.invoke(args=["subscriptions", "list", "--status", "paid"])

    assert result.exit_code == 2
    assert "'pending', 'active', 'ending', 'ended', 'failed'" in result.stderr


@pytest.mark.parametrize(
    "name",
    [
        ARN,
        "aws:license-manager:us-east-1:123456789012:l-0123456789abcdef",
        "l-0123456789abcdef",
        "agmt-4mwg1nevbokzw95eca5797ixs",
        "012345678901",
        "0123-4567-8901",
        " 012345678901 ",
        "agmt-4mwg1nevbokzw95eca5797ixs\n",
        "its id",
    ],
)
def test_subscription_is_found_by_each_of_its_ids(
    runner: FlaskCliRunner, create_subscription: CreateSubscription, create_registration: CreateRegistration, name: str
) -> None:
    wanted = create_subscription(license_arn=ARN)
    registration_id = create_registration({"license_arn": ARN}, company="Juniper & Lark")
    create_subscription(license_arn=OTHER_ARN, agreement_id="agmt-other", customer_aws_account_id="998877665544")

    result = runner.invoke(args=["subscriptions", "show", str(wanted) if name == "its id" else name])

    shown = dict(line.split(maxsplit=1) for line in result.stdout.splitlines())
    assert (shown["id"], shown["license_arn"]) == (str(wanted), ARN)
    assert (shown["registration_id"], shown["company"]) == (str(registration_id), "Juniper & Lark")
    assert shown["customer_aws_account_id"] == "012345678901"
    assert shown["offer_type"] == "free-trial"


def test_blanks_around_a_filter_are_ignored(runner: FlaskCliRunner, create_subscription: CreateSubscription) -> None:
    create_subscription(license_arn=ARN)

    result = runner.invoke(
        args=["subscriptions", "list", "--account", " 0123-4567-8901\n", "--product", f"{PRODUCT_CODE} "]
    )

    assert "012345678901" in result.stdout


def test_old_listing_subscription_is_found_by_customer_identifier(
    runner: FlaskCliRunner, create_subscription: CreateSubscription
) -> None:
    wanted = create_subscription(
        license_arn=None, customer_aws_account_id=None, customer_identifier="ifAMPLE1234", agreement_id=None
    )

    result = runner.invoke(args=["subscriptions", "show", "ifAMPLE1234", "--json"])

    shown = json.loads(result.stdout)
    assert (shown["id"], shown["customer_aws_account_id"]) == (str(wanted), None)


def test_subscription_without_a_registration_says_so(
    runner: FlaskCliRunner, create_subscription: CreateSubscription
) -> None:
    create_subscription(license_arn=ARN)

    result = runner.invoke(args=["subscriptions", "show", ARN])

    assert "The buyer has not sent the sign-up form yet" in result.stdout
    assert "company" not in result.stdout


def test_registered_subscription_has_no_note_about_sign_up(
    runner: FlaskCliRunner, create_registration: CreateRegistration
) -> None:
    create_registration({"license_arn": ARN})

    result = runner.invoke(args=["subscriptions", "show", ARN])

    assert "has not sent" not in result.stdout


@pytest.mark.parametrize("as_json", [False, True])
def test_account_with_two_subscriptions_lists_both(
    runner: FlaskCliRunner, create_subscription: CreateSubscription, as_json: bool
) -> None:
    first = create_subscription(license_arn=ARN, customer_aws_account_id="012345678901")
    second = create_subscription(license_arn=OTHER_ARN, customer_aws_account_id="012345678901")

    result = runner.invoke(args=["subscriptions", "show", "012345678901", *(["--json"] if as_json else [])])

    output = result.stdout
    ids = [row["id"] for row in json.loads(output)] if as_json else [row.split()[0] for row in output.splitlines()[1:]]
    assert ids == [str(second), str(first)]


def test_unknown_id_fails_and_says_what_the_buyer_can_do(
    runner: FlaskCliRunner, create_subscription: CreateSubscription
) -> None:
    create_subscription(license_arn=ARN)

    result = runner.invoke(args=["subscriptions", "show", "999999999999"])

    assert (result.exit_code, result.stdout) == (1, "")
    assert "'999999999999'" in result.stderr
    assert "foyer registrations list --email ADDRESS" in result.stderr
    assert "Set up your account" in result.stderr
