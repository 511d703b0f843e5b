"""The purchase that this browser came with, kept in its signed session: never the token itself."""

from dataclasses import dataclass
from hashlib import sha256
from hmac import HMAC
from uuid import UUID

from flask import current_app, session

from app import products
from app.aws.marketplace import Customer
from app.errors import NoPurchase
from app.models import Registration
from app.products import Product
from app.services.registrations import Completed
from app.services.subscriptions import Arrival


@dataclass(frozen=True)
class Visit:
    """One browser's purchase: what AWS said of it, and our subscription."""

    arrival: Arrival
    subscription_id: UUID
    product: Product


def end() -> None:
    """Forget whatever purchase this browser came with before."""
    session.clear()


def begin(arrival: Arrival, subscription_id: UUID) -> None:
    """Start this browser's session with the purchase it came with."""
    customer = arrival.customer
    session.permanent = True
    session.update(
        CustomerIdentifier=customer.customer_identifier,
        ProductCode=customer.product_code,
        CustomerAWSAccountId=customer.account_id,
        LicenseArn=customer.license_arn,
        AgreementId=customer.agreement_id,
        OfferType=arrival.offer_type,
        SubscriptionId=str(subscription_id),
        csrf_token=_form_secret(subscription_id),
    )


def current() -> Visit:
    """Return the purchase this browser came with.

    Raises:
        NoPurchase: the cookie is lost, expired or of another key.
        UnknownProduct: the product is no longer one of ours.
    """
    if "SubscriptionId" not in session:
        raise NoPurchase
    customer = Customer(
        product_code=session["ProductCode"],
        account_id=session["CustomerAWSAccountId"],
        customer_identifier=session["CustomerIdentifier"],
        license_arn=session["LicenseArn"],
        agreement_id=session["AgreementId"],
    )
    return Visit(
        arrival=Arrival(customer, session["OfferType"]),
        subscription_id=UUID(session["SubscriptionId"]),
        product=products.current()[customer.product_code],
    )


def remember(completed: Completed) -> None:
    """Note what this browser has sent, so that it may see in full what it sent, and that alone."""
    session["SubscriptionId"] = str(completed.subscription_id)
    session["Registered"] = completed.at.isoformat()


def has_sent(registration: Registration) -> bool:
    """Return whether these answers are the ones that this browser sent."""
    return session.get("Registered") == registration.updated_at.isoformat()


def _form_secret(subscription_id: UUID) -> str:
    """Return what Flask-WTF signs into the form.

    One for each purchase: two tabs of the same purchase can both be sent, and a form of one purchase is
    refused once the browser holds another.
    """
    key = str(current_app.secret_key).encode()
    return HMAC(key, b"signup-form:" + subscription_id.bytes, sha256).hexdigest()
