"""The API's lists and single items: fields, pages, filters and token scopes."""

from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
from flask import Flask
from sqlalchemy import insert

from app.models import Account
from app.services.signup import erasure
from tests.support import factories
from tests.support.factories import OTHER_PRODUCT_CODE, PRODUCT_CODE
from tests.support.personal_data import insert_pending_registration, run_transaction
from tests.support.subscription_rows import insert_changed_at, update_subscription
from tests.views.api.conftest import (
    LICENSE_ARN_PREFIX,
    ApiClient,
    CreateApiClient,
    CreateRegistration,
    CreateSubscription,
)

LONG_AGO = datetime(2026, 1, 1, 12, 0, 0, 123456, tzinfo=UTC)


def test_list_item_has_every_field(
    app: Flask, api_client: ApiClient, create_subscription: CreateSubscription, create_registration: CreateRegistration
) -> None:
    subscription_id = create_subscription(customer_aws_account_id="012345678901")
    registration_id = create_registration(phone=None)
    update_subscription(app, subscription_id, LONG_AGO, status="active", status_since=LONG_AGO)
    reply = {"url": "https://a.example/", "reference": "t-1"}
    account = {"subscription_id": subscription_id, "answered_at": LONG_AGO, **reply}
    run_transaction(app, lambda connection: connection.execute(insert(Account), account))

    [item] = api_client.list_items("/subscriptions")

    assert item["changed_at"] == "2026-01-01T12:00:00.123Z"
    assert item["subscription"] == {
        "id": str(subscription_id),
        "former_ids": [],
        "product_code": PRODUCT_CODE,
        "status": "active",
        "status_since": "2026-01-01T12:00:00.123Z",
        "customer_aws_account_id": "012345678901",
        "customer_identifier": None,
        "license_arn": f"{LICENSE_ARN_PREFIX}first",
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
        "language": "en",
        "answers": [],
        "created_at": None,
        "updated_at": None,
    }
    assert item["account"] == {"wish": "new", "existing_account": None, "subscription_id": None, **reply}


def test_single_item_equals_the_list_item(
    api_client: ApiClient, create_subscription: CreateSubscription, create_registration: CreateRegistration
) -> None:
    subscription_id, registration_id = create_subscription(), create_registration()

    [item] = api_client.list_items("/subscriptions")

    assert api_client.get(f"/subscriptions/{subscription_id}").get_json() == item
    assert api_client.get(f"/registrations/{registration_id}").get_json() == item
    assert api_client.list_items("/registrations") == [item]


def test_subscription_without_registration_has_null_registration(
    api_client: ApiClient, create_subscription: CreateSubscription
) -> None:
    create_subscription()

    [item] = api_client.list_items("/subscriptions")

    assert item["registration"] is None
    assert api_client.list_items("/registrations") == []


def test_registration_without_purchase_is_not_returned(app: Flask, api_client: ApiClient) -> None:
    registration_id = insert_pending_registration(app)

    assert api_client.list_items("/registrations") == api_client.list_items("/subscriptions") == []
    assert api_client.get(f"/registrations/{registration_id}").status_code == 404


def test_erasure_is_returned_as_a_change(
    app: Flask, api_client: ApiClient, create_registration: CreateRegistration
) -> None:
    registration_id = create_registration()
    [before] = api_client.list_items("/subscriptions")
    with app.app_context():
        erasure.erase(registration_id, "operator:alice")

    [after] = api_client.list_items("/subscriptions")

    assert before["registration"]["email"] == factories.ANSWERS["email"]
    assert after["registration"] is None
    assert after["changed_at"] > before["changed_at"]
    assert api_client.get(f"/registrations/{registration_id}").status_code == 404


def test_list_is_read_page_by_page(app: Flask, api_client: ApiClient) -> None:
    expected_ids = insert_changed_at(app, *[LONG_AGO] * 5)

    first = api_client.get("/subscriptions", limit=3).get_json()
    second = api_client.get("/subscriptions", limit=3, cursor=first["cursor"]).get_json()

    assert (first["more"], second["more"]) == (True, False)
    assert [UUID(item["subscription"]["id"]) for item in first["items"] + second["items"]] == expected_ids
    assert api_client.list_items("/subscriptions", cursor=second["cursor"]) == []


def test_page_without_a_limit_has_fifty_items(app: Flask, api_client: ApiClient) -> None:
    insert_changed_at(app, *[LONG_AGO] * 51)

    page = api_client.get("/subscriptions").get_json()

    assert (len(page["items"]), page["more"]) == (50, True)
    assert len(api_client.list_items("/subscriptions", limit=200)) == 51


def test_filters_select_items_that_match_all_of_them(app: Flask, api_client: ApiClient) -> None:
    insert_changed_at(
        app, LONG_AGO, product_code=OTHER_PRODUCT_CODE, status="ended", customer_aws_account_id="012345678901"
    )
    [wanted] = insert_changed_at(app, LONG_AGO, status="ended", customer_aws_account_id="012345678901")
    insert_changed_at(app, LONG_AGO, status="active", customer_aws_account_id="012345678901")
    insert_changed_at(app, LONG_AGO, status="ended", customer_aws_account_id="123456789012")

    items = api_client.list_items(
        "/subscriptions", status="ended", product_code=PRODUCT_CODE, customer_aws_account_id="012345678901"
    )

    assert [item["subscription"]["id"] for item in items] == [str(wanted)]


def test_registrations_can_be_filtered(api_client: ApiClient, create_registration: CreateRegistration) -> None:
    create_registration()

    assert (
        len(api_client.list_items("/registrations", product_code=PRODUCT_CODE, customer_aws_account_id="012345678901"))
        == 1
    )
    assert api_client.list_items("/registrations", product_code=OTHER_PRODUCT_CODE) == []
    assert api_client.list_items("/registrations", customer_aws_account_id="123456789012") == []


def test_token_for_one_product_reads_nothing_of_another(
    app: Flask, create_api_client: CreateApiClient, create_registration: CreateRegistration
) -> None:
    registration_id = create_registration()
    [other_id] = insert_changed_at(app, LONG_AGO, product_code=OTHER_PRODUCT_CODE)
    client, other_client, unscoped_client = (
        create_api_client([PRODUCT_CODE]),
        create_api_client([OTHER_PRODUCT_CODE]),
        create_api_client(),
    )

    assert [item["subscription"]["product_code"] for item in client.list_items("/subscriptions")] == [PRODUCT_CODE]
    assert [item["subscription"]["product_code"] for item in other_client.list_items("/subscriptions")] == [
        OTHER_PRODUCT_CODE
    ]
    assert len(unscoped_client.list_items("/subscriptions")) == 2
    assert (
        other_client.list_items("/subscriptions", product_code=PRODUCT_CODE)
        == other_client.list_items("/registrations")
        == []
    )
    assert other_client.get(f"/registrations/{registration_id}").status_code == 404
    assert client.get(f"/subscriptions/{other_id}").status_code == 404
    assert unscoped_client.get(f"/subscriptions/{other_id}").status_code == 200


def test_product_that_is_no_longer_sold_is_still_returned(app: Flask, api_client: ApiClient) -> None:
    insert_changed_at(app, LONG_AGO, product_code="sold-long-ago", entitlements=[])

    [item] = api_client.list_items("/subscriptions")

    assert item["subscription"]["product_code"] == "sold-long-ago"
    assert item["subscription"]["entitlements"] == []


@pytest.mark.parametrize("path", ["/subscriptions", "/registrations"])
def test_unknown_id_is_not_found(api_client: ApiClient, create_subscription: CreateSubscription, path: str) -> None:
    create_subscription()

    for unknown in (uuid4(), "first", "", "\x00"):
        assert api_client.get(f"{path}/{unknown}").status_code == 404
