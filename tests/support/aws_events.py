"""Builds the bodies of SQS messages about purchases, in the shapes of AWS's documentation."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from app.services.purchases import aws_event
from app.services.purchases.aws_event import AwsEvent
from tests.support.factories import PRODUCT_CODE

LICENSE_UPDATED, LICENSE_DEPROVISIONED = "License Updated - Manufacturer", "License Deprovisioned - Manufacturer"
AGREEMENT_CREATED, AGREEMENT_AMENDED = "Purchase Agreement Created - Proposer", "Purchase Agreement Amended - Proposer"
AGREEMENT_ENDED = "Purchase Agreement Ended - Proposer"
NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
ACCOUNT_ID = "012345678901"
LICENSE_ID = "l-0123456789abcdef"
AGREEMENT_ID = "agmt-4mwg1nevbokzw95eca5797ixs"
CUSTOMER_IDENTIFIER = "ifAMPLE1234"


def minutes_after_noon(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


def eventbridge_event(kind: str, happened_at: datetime = NOON, **overrides: Any) -> dict[str, Any]:
    """Return an event as EventBridge puts it into a queue.

    Overrides: agreement, license, code, account, status, previous, starts, ends (ISO 8601), id. None omits a field.
    """
    values: dict[str, Any] = {"agreement": AGREEMENT_ID, "account": ACCOUNT_ID, "id": str(uuid4()), **overrides}
    agreement = {
        "id": values["agreement"],
        "status": values.get("status"),
        "previousAgreementId": values.get("previous"),
        "intent": "RENEW" if values.get("previous") else None,
        "startTime": values.get("starts"),
        "endTime": values.get("ends"),
    }
    detail: dict[str, Any] = {
        "requestId": str(uuid4()),
        "catalog": "AWSMarketplace",
        "agreement": {name: value for name, value in agreement.items() if value},
        "acceptor": {"accountId": values["account"]},
        "proposer": {"accountId": "123456789012"},
        "offer": {"id": "offer-1234567890123"},
    }
    if kind.startswith("License"):
        detail["product"] = {"code": values.get("code", PRODUCT_CODE), "id": "prod-qtwveEXAMPLE"}
        license_id = values.get("license", LICENSE_ID)
        detail["license"] = {"arn": f"aws:license-manager:us-east-1:123456789012:{license_id}"}
    return {
        "version": "0",
        "id": values["id"],
        "detail-type": kind,
        "source": "aws.agreement-marketplace",
        "account": "123456789012",
        "time": happened_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": "us-east-1",
        "resources": [f"arn:aws:aws-marketplace::aws:agreement:{values['agreement']}"],
        "detail": detail,
    }


def sns_notification(action: str, happened_at: datetime = NOON, **overrides: Any) -> dict[str, Any]:
    """Return a notification in SNS's envelope; overrides: customer, code, id, trial."""
    topic = "entitlement" if action.startswith("entitlement") else "subscription"
    code = overrides.get("code", PRODUCT_CODE)
    message = {
        "action": action,
        "customer-identifier": overrides.get("customer", CUSTOMER_IDENTIFIER),
        "product-code": code,
    }
    if action.startswith("subscribe"):
        message |= {
            "offer-identifier": "offer-abcexample123",
            "isFreeTrialTermPresent": overrides.get("trial", "false"),
        }
    return {
        "Type": "Notification",
        "MessageId": overrides.get("id") or str(uuid4()),
        "TopicArn": f"arn:aws:sns:us-east-1:287250355862:aws-mp-{topic}-notification-{code}",
        "Message": json.dumps(message),
        "Timestamp": happened_at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "SignatureVersion": "1",
    }


def parse_event(body: dict[str, Any]) -> AwsEvent:
    return aws_event.parse_body(body, message_id="of-the-queue", sent_at=NOON)
