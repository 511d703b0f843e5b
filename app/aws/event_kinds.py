"""The kinds of AWS Marketplace's events, and what a rule of EventBridge has to match to get them."""

from enum import StrEnum


class AwsEventKind(StrEnum):
    """EventBridge's detail types, without the party, and SNS's actions. AWS may send others: those stay plain text."""

    AGREEMENT_CREATED = "Purchase Agreement Created"
    AGREEMENT_AMENDED = "Purchase Agreement Amended"
    AGREEMENT_ENDED = "Purchase Agreement Ended"
    LICENSE_UPDATED = "License Updated"
    LICENSE_DEPROVISIONED = "License Deprovisioned"
    SUBSCRIBE_SUCCESS = "subscribe-success"
    SUBSCRIBE_FAIL = "subscribe-fail"
    UNSUBSCRIBE_PENDING = "unsubscribe-pending"
    UNSUBSCRIBE_SUCCESS = "unsubscribe-success"
    ENTITLEMENT_UPDATED = "entitlement-updated"


EVENTBRIDGE_SOURCE = "aws.agreement-marketplace"
AGREEMENT_KINDS = (AwsEventKind.AGREEMENT_CREATED, AwsEventKind.AGREEMENT_AMENDED, AwsEventKind.AGREEMENT_ENDED)
LICENSE_KINDS = (AwsEventKind.LICENSE_UPDATED, AwsEventKind.LICENSE_DEPROVISIONED)
# What the rule in the seller's account has to match. A seller is the proposer or the manufacturer of an agreement.
DETAIL_TYPES = frozenset(
    f"{kind} - {party}"
    for party, kinds in {"Proposer": AGREEMENT_KINDS, "Manufacturer": AGREEMENT_KINDS + LICENSE_KINDS}.items()
    for kind in kinds
)
PARTY_SUFFIXES = (" - Proposer", " - Manufacturer", " - Acceptor")
