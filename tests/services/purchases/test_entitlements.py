"""Entitlements: when a stored one is over."""

from app.aws.get_entitlements import AwsEntitlement
from tests.support.aws_events import minutes_after_noon


def test_entitlement_is_expired_from_its_end_on() -> None:
    entitlement = AwsEntitlement("seats", 25, minutes_after_noon(0))

    assert entitlement.expired(minutes_after_noon(0))
    assert not entitlement.expired(minutes_after_noon(-1))
    assert not AwsEntitlement("seats", 25, None).expired(minutes_after_noon(0))
