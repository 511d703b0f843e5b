"""AWS's events as the public has seen them: one capture of live ones, and the examples that AWS's pages print.

Ids, accounts and times are replaced; members, spellings and precision are as found.
https://docs.aws.amazon.com/marketplace/latest/userguide/notifications-eventbridge.html
https://docs.aws.amazon.com/marketplace/latest/userguide/saas-notification.html
"""

import json
from typing import Any
from uuid import uuid4

from tests.support.factories import PRODUCT_CODE

Body = dict[str, Any]

AGREEMENT, RENEWAL = "agmt-4mwg1nevbokzw95eca5797ixs", "agmt-1mwg1nevbokzw95eca5797ixs"
LICENSE = "l-e52ca6f38bf84d0fafb8802ca15ac11x"
LIVE_ARN = f"arn:aws:license-manager::294406891311:license:{LICENSE}"
PRINTED_ARN = f"aws:license-manager:us-east-1:123456789012:{LICENSE}"
ACCOUNT, CUSTOMER = "845735284135", "X01EXAMPLEX"
PARTIES: Body = {"acceptor": {"accountId": ACCOUNT}, "proposer": {"accountId": "123456512334"}}
REQUEST = {"requestId": "3d4c9f9b-b809-4f5e-9fac-a9ae98b05cbb", "catalog": "AWSMarketplace"}
PRODUCT = {"code": PRODUCT_CODE, "id": "prod-qtwveEXAMPLE"}
OFFER: Body = {"offer": {"id": "offer-1234567890123"}}
TERM = {
    "acceptanceTime": "2026-06-26T21:36:03Z",
    "startTime": "2026-08-30T21:36:03Z",
    "endTime": "2027-05-30T21:36:03Z",
}
LIVE_TERM = {
    "startTime": "2026-08-20T09:14:11.013Z",
    "endTime": "9999-01-01T00:00:00Z",
    "acceptanceTime": "2026-08-20T09:14:11.013Z",
}


def eventbridge(kind: str, minute: int, agreement_id: str = AGREEMENT, **detail: Any) -> Body:
    """Return the event in EventBridge's envelope, that many minutes past nine."""
    return {
        "version": "0",
        "id": str(uuid4()),
        "detail-type": kind,
        "source": "aws.agreement-marketplace",
        "account": "123456789012",
        "time": f"2026-08-31T09:{minute:02}:22Z",
        "region": "us-east-1",
        "resources": [f"arn:aws:aws-marketplace::aws:agreement:{agreement_id}"],
        "detail": {**REQUEST, **detail},
    }


def license_event(verb: str, minute: int, arn: str, agreement_id: str = AGREEMENT, **detail: Any) -> Body:
    members: Body = {"license": {"arn": arn}, "product": PRODUCT, **PARTIES, **OFFER, "agreement": {"id": agreement_id}}
    return eventbridge(f"License {verb} - Manufacturer", minute, agreement_id, **{**members, **detail})


def live_usage_sale() -> list[Body]:
    """A usage listing, as captured."""
    created = {"id": AGREEMENT, "intent": "NEW", "status": "ACTIVE", **LIVE_TERM}
    ended = {"id": AGREEMENT, "status": "CANCELLED"}
    resale: Body = {"resaleAuthorization": {"id": None}}
    return [
        eventbridge("Purchase Agreement Created - Proposer", 0, agreement=created, **PARTIES, **OFFER, **resale),
        license_event("Updated", 1, LIVE_ARN),
        eventbridge("Purchase Agreement Ended - Proposer", 30, agreement=ended, **PARTIES),
        license_event("Deprovisioned", 59, LIVE_ARN),
    ]


def printed_contract_sale() -> list[Body]:
    """A contract, resold, amended and cancelled, as AWS's page prints the events."""
    resale: Body = {"resaleAuthorization": {"id": "resaleauthz-yaxjqxiskysxa"}}
    created = {"id": AGREEMENT, "intent": "NEW", "status": "ACTIVE", **TERM}
    amended = {**created, "intent": "AMEND", "autoRenewalEnabled": True}
    renewal_summary: Body = {"renewalSummary": {"lockoutStartTime": "2027-04-30T21:36:03Z", "disabledBy": None}}
    product: Body = {"product": {"id": "prod-qtwveEXAMPLE", "title": "Acme Insights"}}
    ended = {"id": AGREEMENT, "status": "CANCELLED"}
    odd_offer: Body = {"offer": {"id": "8kkr91jo647j3qxlcjhlqce7y"}}
    return [
        eventbridge("Purchase Agreement Created - Manufacturer", 0, agreement=created, **PARTIES, **OFFER, **resale),
        license_event("Updated", 1, PRINTED_ARN, **odd_offer),
        eventbridge(
            "Purchase Agreement Amended - Proposer",
            10,
            agreement=amended,
            **PARTIES,
            **OFFER,
            **renewal_summary,
            **product,
        ),
        eventbridge("Purchase Agreement Ended - Manufacturer", 30, agreement=ended, **PARTIES, **OFFER),
        license_event("Deprovisioned", 59, PRINTED_ARN, **odd_offer),
    ]


def live_renewal() -> list[Body]:
    """A sale in the captured forms, whose agreement is renewed under the same license."""
    renewed = {"id": RENEWAL, "intent": "RENEW", "status": "ACTIVE", "previousAgreementId": AGREEMENT, **LIVE_TERM}
    ended = {"id": AGREEMENT, "status": "RENEWED"}
    product: Body = {"product": {"id": "prod-qtwveEXAMPLE", "title": "Acme Insights"}}
    return [
        *live_usage_sale()[:2],
        eventbridge("Purchase Agreement Created - Proposer", 10, RENEWAL, agreement=renewed, **PARTIES, **product),
        license_event("Updated", 11, LIVE_ARN, RENEWAL),
        eventbridge("Purchase Agreement Ended - Proposer", 12, agreement=ended, **PARTIES),
    ]


def aws_sample_license() -> list[Body]:
    """The license as a sample program of AWS's reads it: in `detail.license.id`."""
    return [license_event("Updated", 1, "", license={"id": LICENSE})]


def sale_with_news() -> list[Body]:
    """A sale, and events of the same source that say nothing about access."""
    agreement: Body = {"agreement": {"id": AGREEMENT, "status": "ACTIVE"}, **PARTIES}
    kinds = [
        "Purchase Agreement Ending - Proposer",
        "Purchase Agreement Renewal Upcoming - Proposer",
        "Purchase Agreement Renewal Terms Finalized - Proposer",
        "Purchase Agreement Advisory Issued - Manufacturer",
        "Purchase Agreement Advisory Resolved - Manufacturer",
        "Agreement Cancellation Request Pending Approval - Proposer",
        "Agreement Cancellation Request Validation Failed - Proposer",
        "Billing Adjustment Completed - Proposer",
        "Billing Adjustment Failed - Proposer",
    ]
    news = [eventbridge(kind, 10 + minute, **agreement) for minute, kind in enumerate(kinds)]
    return [*live_usage_sale()[:2], *news]


def sns(action: str, minute: int, **members: str) -> Body:
    """Return the notification of an old listing; AWS's page prints the blank before the customer."""
    message = {"action": action, "customer-identifier": f" {CUSTOMER}", "product-code": PRODUCT_CODE, **members}
    return {
        "Type": "Notification",
        "MessageId": str(uuid4()),
        "TopicArn": f"arn:aws:sns:us-east-1:287250355862:aws-mp-subscription-notification-{PRODUCT_CODE}",
        "Message": json.dumps(message),
        "Timestamp": f"2026-08-31T09:{minute:02}:22.013Z",
        "SignatureVersion": "2",
    }


def printed_old_sale() -> list[Body]:
    """A trial of an old listing, from its beginning to its end."""
    trial = {"offer-identifier": "offer-abcexample123", "isFreeTrialTermPresent": "true"}
    return [
        sns("subscribe-success", 0, **trial),
        sns("unsubscribe-pending", 1),
        sns("unsubscribe-success", 2),
    ]


def printed_old_failure() -> list[Body]:
    """An old listing's purchase whose payment failed."""
    offer = {"offer-identifier": "offer-abcexample123", "isFreeTrialTermPresent": "false"}
    return [sns("subscribe-fail", 0, **offer)]


def printed_old_sale_raw() -> list[Body]:
    """The beginning of the same sale, with raw delivery: without SNS's envelope."""
    return [json.loads(printed_old_sale()[0]["Message"])]
