"""Subscriptions: what the seller knows of each purchase."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import exists, select, update
from sqlalchemy.orm import Session, aliased
from uuid_utils.compat import uuid7

from app.aws.marketplace import Customer
from app.database import query, transaction, upsert
from app.models import Subscription


@dataclass(frozen=True)
class Arrival:
    """A customer at the door, with what their browser said beside the token: unsigned, kept, never trusted."""

    customer: Customer
    offer_type: str | None = None
    hints: dict[str, str] = field(default_factory=dict)


@transaction
def arrive(session: Session, arrival: Arrival) -> UUID:
    """Record that the purchase has been seen, and return its subscription's id.

    A purchase seen before keeps all it has: this only fills in what was not known.
    """
    return record(session, arrival)


def record(session: Session, arrival: Arrival) -> UUID:
    """Record the arrival within the caller's transaction, and return the subscription's id."""
    customer = arrival.customer
    if customer.license_arn:
        _adopt(session, customer)
    now = datetime.now(UTC)
    known = {name: value for name, value in _described(arrival).items() if value}
    return upsert(
        session,
        Subscription,
        natural_key="purchase_key",
        values={
            "id": uuid7(),
            "purchase_key": purchase_key(customer),
            "product_code": customer.product_code,
            "status": "pending",
            "hints": {},
            "created_at": now,
            "last_seen_at": now,
            **known,
        },
        changes={"last_seen_at": now, **known},
    )


@query
def find(session: Session, subscription_id: UUID) -> Subscription | None:
    """Return the subscription with that id, if there is one."""
    return session.get(Subscription, subscription_id)


def purchase_key(customer: Customer) -> str:
    """Return what tells this purchase from every other: the license or, on old listings, product and customer."""
    return customer.license_arn or _key_without_license(customer)


def _key_without_license(customer: Customer) -> str:
    return f"{customer.product_code}/{customer.customer_identifier or customer.account_id}"


def _described(arrival: Arrival) -> dict[str, Any]:
    customer = arrival.customer
    return {
        "customer_aws_account_id": customer.account_id,
        "customer_identifier": customer.customer_identifier,
        "license_arn": customer.license_arn,
        "agreement_id": customer.agreement_id,
        "offer_type": arrival.offer_type,
        "hints": arrival.hints,
    }


def _adopt(session: Session, customer: Customer) -> None:
    """Give a purchase that was stored before its listing had licenses the license it has now."""
    other = aliased(Subscription)
    session.execute(
        update(Subscription)
        .where(
            Subscription.purchase_key == _key_without_license(customer),
            Subscription.agreement_id.is_(None) | (Subscription.agreement_id == customer.agreement_id),
            ~exists(select(other.id).where(other.purchase_key == customer.license_arn)),
        )
        .values(purchase_key=customer.license_arn)
        .execution_options(synchronize_session=False)
    )
