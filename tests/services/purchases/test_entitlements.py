"""Entitlements: when a stored one is over, and what AWS means by a far year."""

import pytest

from app import create_app
from app.aws import get_entitlements
from app.aws.get_entitlements import AwsEntitlement
from app.services.purchases import entitlements
from tests.support import factories
from tests.support.aws_events import minutes_after_noon
from tests.support.databases import on_sqlite
from tests.support.scripted_aws import AwsResponse, ScriptedAws


def test_entitlement_is_expired_from_its_end_on() -> None:
    entitlement = AwsEntitlement("seats", 25, minutes_after_noon(0))

    assert entitlement.expired(minutes_after_noon(0))
    assert not entitlement.expired(minutes_after_noon(-1))
    assert not AwsEntitlement("seats", 25, None).expired(minutes_after_noon(0))


@on_sqlite
@pytest.mark.parametrize("year_9000_and_later", [221845392000, 253370764800, 253402300799])
def test_entitlement_until_a_far_year_has_no_end(environment: pytest.MonkeyPatch, year_9000_and_later: int) -> None:
    seats = {"Dimension": "seats", "Value": {"IntegerValue": 25}, "ExpirationDate": year_9000_and_later}
    with ScriptedAws([AwsResponse(200, {"Entitlements": [seats]})]) as aws:
        environment.setenv("AWS_ENDPOINT_URL", aws.url)
        with factories.open_app(create_app()) as app, app.app_context():
            assert get_entitlements.fetch_all(factories.customer()) == [AwsEntitlement("seats", 25, None)]


def test_entitlement_stored_with_a_far_year_has_no_end() -> None:
    stored = {"dimension": "seats", "value": 25, "expires_at": "9999-12-31T23:59:59+00:00"}

    assert entitlements.parse_stored([stored]) == [AwsEntitlement("seats", 25, None)]
