"""What the API tells of subscriptions and of who signed up for them."""

from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
from flask import Flask
from sqlalchemy import insert

from app.models import Account
from app.services.signup import erasure
from tests import factories
from tests.changed import change, changed
from tests.factories import CODE, OTHER_CODE
from tests.services.people import unlinked, write
from tests.views.api.conftest import ARN, Land, Program, Programs, SignUp

LONG_AGO = datetime(2026, 1, 1, 12, 0, 0, 123456, tzinfo=UTC)


def test_a_subscription_is_told_whole(app: Flask, program: Program, land: Land, sign_up: SignUp) -> None:
    subscription_id = land(account_id="012345678901")
    registration_id = sign_up(phone=None)
    change(app, subscription_id, LONG_AGO, status="active", status_since=LONG_AGO)
    account = {"subscription_id": subscription_id, "url": "https://a.example/", "reference": "t-1"}
    write(app, lambda connection: connection.execute(insert(Account), account | {"answered_at": LONG_AGO}))

    [item] = program.items("/subscriptions")

    assert item["changed_at"] == "2026-01-01T12:00:00.123Z"
    assert item["subscription"] == {
        "id": str(subscription_id),
        "former_ids": [],
        "product_code": CODE,
        "status": "active",
        "status_since": "2026-01-01T12:00:00.123Z",
        "customer_aws_account_id": "012345678901",
        "customer_identifier": None,
        "license_arn": f"{ARN}first",
        "agreement_id": "agmt-4mwg1nevbokzw95eca5797ixs",
        "offer_type": None,
        "free_trial": None,
        "ends_at": None,
        "entitlements": None,
    }
    assert item["registration"] | {"created_at": None, "updated_at": None} == {
        "id": str(registration_id),
        **{name: factories.ANSWERS[name] for name in ("company", "full_name", "email", "notes")},
        "phone": None,
        "created_at": None,
        "updated_at": None,
    }
    assert item["account"] == {
        "wish": "new",
        "existing_account": None,
        "subscription_id": None,
        "url": "https://a.example/",
        "reference": "t-1",
    }


def test_one_is_told_as_in_the_list(program: Program, land: Land, sign_up: SignUp) -> None:
    subscription_id, registration_id = land(), sign_up()

    [item] = program.items("/subscriptions")

    assert program.get(f"/subscriptions/{subscription_id}").get_json() == item
    assert program.get(f"/registrations/{registration_id}").get_json() == item
    assert program.items("/registrations") == [item]


def test_a_purchase_without_a_registration_is_a_subscription_alone(program: Program, land: Land) -> None:
    land()

    [item] = program.items("/subscriptions")

    assert item["registration"] is None
    assert program.items("/registrations") == []


def test_a_registration_without_a_purchase_is_nowhere(app: Flask, program: Program) -> None:
    registration_id = unlinked(app)

    assert program.items("/registrations") == program.items("/subscriptions") == []
    assert program.get(f"/registrations/{registration_id}").status_code == 404


def test_who_follows_hears_of_an_erasure(app: Flask, program: Program, sign_up: SignUp) -> None:
    registration_id = sign_up()
    [before] = program.items("/subscriptions")
    with app.app_context():
        erasure.erase(registration_id, "operator:alice")

    [after] = program.items("/subscriptions")

    assert before["registration"]["email"] == factories.ANSWERS["email"]
    assert after["registration"] is None
    assert after["changed_at"] > before["changed_at"]
    assert program.get(f"/registrations/{registration_id}").status_code == 404


def test_a_list_is_read_page_by_page(app: Flask, program: Program) -> None:
    wanted = changed(app, *[LONG_AGO] * 5)

    first = program.get("/subscriptions", limit=3).get_json()
    second = program.get("/subscriptions", limit=3, cursor=first["cursor"]).get_json()

    assert (first["more"], second["more"]) == (True, False)
    assert [UUID(item["subscription"]["id"]) for item in first["items"] + second["items"]] == wanted
    assert program.items("/subscriptions", cursor=second["cursor"]) == []


def test_without_a_limit_a_page_has_fifty(app: Flask, program: Program) -> None:
    changed(app, *[LONG_AGO] * 51)

    page = program.get("/subscriptions").get_json()

    assert (len(page["items"]), page["more"]) == (50, True)
    assert len(program.items("/subscriptions", limit=200)) == 51


def test_filters_leave_those_that_match_all_of_them(app: Flask, program: Program) -> None:
    changed(app, LONG_AGO, product_code=OTHER_CODE, status="ended", customer_aws_account_id="012345678901")
    [wanted] = changed(app, LONG_AGO, status="ended", customer_aws_account_id="012345678901")
    changed(app, LONG_AGO, status="active", customer_aws_account_id="012345678901")
    changed(app, LONG_AGO, status="ended", customer_aws_account_id="123456789012")

    found = program.items("/subscriptions", status="ended", product_code=CODE, customer_aws_account_id="012345678901")

    assert [item["subscription"]["id"] for item in found] == [str(wanted)]


def test_registrations_can_be_filtered_too(program: Program, sign_up: SignUp) -> None:
    sign_up()

    assert len(program.items("/registrations", product_code=CODE, customer_aws_account_id="012345678901")) == 1
    assert program.items("/registrations", product_code=OTHER_CODE) == []
    assert program.items("/registrations", customer_aws_account_id="123456789012") == []


def test_a_token_for_one_product_reads_nothing_of_another(app: Flask, programs: Programs, sign_up: SignUp) -> None:
    registration_id = sign_up()
    [elsewhere] = changed(app, LONG_AGO, product_code=OTHER_CODE)
    ours, theirs, all_of_it = programs([CODE]), programs([OTHER_CODE]), programs()

    assert [item["subscription"]["product_code"] for item in ours.items("/subscriptions")] == [CODE]
    assert [item["subscription"]["product_code"] for item in theirs.items("/subscriptions")] == [OTHER_CODE]
    assert len(all_of_it.items("/subscriptions")) == 2
    assert theirs.items("/subscriptions", product_code=CODE) == theirs.items("/registrations") == []
    assert theirs.get(f"/registrations/{registration_id}").status_code == 404
    assert ours.get(f"/subscriptions/{elsewhere}").status_code == 404
    assert all_of_it.get(f"/subscriptions/{elsewhere}").status_code == 200


def test_what_is_not_sold_any_more_is_still_told(app: Flask, program: Program) -> None:
    changed(app, LONG_AGO, product_code="sold-long-ago", entitlements=[])

    [item] = program.items("/subscriptions")

    assert item["subscription"]["product_code"] == "sold-long-ago"
    assert item["subscription"]["entitlements"] == []


@pytest.mark.parametrize("path", ["/subscriptions", "/registrations"])
def test_what_is_nowhere_is_not_found(program: Program, land: Land, path: str) -> None:
    land()

    for unknown in (uuid4(), "first", "", "\x00"):
        assert program.get(f"{path}/{unknown}").status_code == 404
