"""The signed session: which purchase this browser came with, and what it submitted. Never the token."""

import secrets
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from flask import session
from sqlalchemy import Row

from app.aws.customer import Customer
from app.config import products
from app.config.products import Product
from app.errors import DatabaseUnavailable, NoPurchase
from app.languages import speech
from app.security import form_secrets
from app.services.operations import audit
from app.services.purchases.purchase import Landing, Pending, Purchase, Resolved, UnverifiedFields
from app.services.signup import invitations, resolve
from app.services.signup.registrations import StoredRegistration

# By the session's key, the field of the customer that it stores.
CUSTOMER_KEYS = {
    "CustomerIdentifier": "customer_identifier",
    "ProductCode": "product_code",
    "CustomerAWSAccountId": "customer_aws_account_id",
    "LicenseArn": "license_arn",
    "AgreementId": "agreement_id",
}
LANGUAGE_KEY = "Language"
KEPT_KEYS = (LANGUAGE_KEY,)


@dataclass(frozen=True)
class Visit:
    """One browser's purchase. `product` is None while a token is pending and more than one product is configured."""

    purchase: Purchase
    product: Product | None

    @property
    def customer(self) -> Customer | None:
        """The customer, or None while the token is pending."""
        return self.purchase.landing.customer if isinstance(self.purchase, Resolved) else None

    @property
    def offer_type(self) -> str | None:
        """The offer type by the landing's form: unsigned, so show it and decide nothing by it."""
        purchase = self.purchase
        return purchase.landing.unverified.offer_type if isinstance(purchase, Resolved) else purchase.offer_type


def start(purchase: Purchase, invitation_id: UUID | None = None) -> None:
    """Store the purchase in the session, and the invitation that this browser accepted."""
    session.permanent = True
    session["csrf_token"] = form_secrets.current(_purchase_name(purchase))
    if invitation_id:
        session["InvitationId"] = str(invitation_id)
    # Before the form is shown: two presses on its button bring the same.
    browser_id()
    _store_purchase(purchase)


def clear() -> None:
    """Forget everything but the language that the visitor chose."""
    kept = {name: session[name] for name in KEPT_KEYS if name in session}
    session.clear()
    session.update(kept)


def ids() -> dict[str, str]:
    """Return the ids of this browser's purchase for the log; none without a purchase."""
    values = {"subscription": session.get("SubscriptionId"), "parked": session.get("ParkedTokenId")}
    return {name: value for name, value in values.items() if value}


def browser_id() -> bytes:
    """Return this browser's random id, created at first use and kept until the session is cleared."""
    if "Browser" not in session:
        session["Browser"] = secrets.token_hex(16)
    return str(session["Browser"]).encode()


def is_invited() -> bool:
    """Return whether this session began with an accepted invitation."""
    return "InvitationId" in session


def has_accepted(invitation_id: UUID) -> bool:
    """Return whether this browser accepted that invitation."""
    return session.get("InvitationId") == str(invitation_id)


def actor() -> str:
    """Return the actor for the audit log: the buyer, or the invitation that this browser accepted."""
    invitation_id = session.get("InvitationId")
    return invitations.actor(UUID(invitation_id)) if invitation_id else audit.BUYER_ACTOR


def current() -> Visit:
    """Return this browser's purchase, refreshed: a pending token may have been resolved since.

    Raises:
        NoPurchase: the cookie is missing, expired, or signed with another key; or this browser's invitation was
            revoked.
        UnknownProduct: the product is no longer configured.
    """
    try:
        purchase = stored = _load_purchase()
    except (KeyError, TypeError, ValueError):
        # Another version of Foyer signed this session, in another format.
        raise NoPurchase from None
    if isinstance(stored, Pending) or stored.subscription_id is None:
        purchase = resolve.refresh(stored)
    if purchase != stored:
        # `csrf_token` stays: a form that is open in this browser remains valid for the purchase.
        _store_purchase(purchase)
    _end_if_revoked()
    if not isinstance(purchase, Resolved):
        return Visit(purchase, products.current().single)
    return Visit(purchase, product_of_page(purchase.landing.customer.product_code))


def product_of_page(code: str) -> Product:
    """Return the product that this page is about, and use its texts on the page.

    Raises:
        UnknownProduct: the product is no longer configured.
    """
    product = products.current()[code]
    speech.use_texts(product.texts)
    return product


def _end_if_revoked() -> None:
    with suppress(DatabaseUnavailable):
        if is_invited() and invitations.is_revoked(UUID(session["InvitationId"])):
            clear()
            raise NoPurchase


def mark_submitted(completed: StoredRegistration) -> None:
    """Record which answers this browser submitted: it sees those in full, and no others."""
    if completed.subscription_id:
        session["SubscriptionId"] = str(completed.subscription_id)
    session["Registered"] = session["Entering"] = completed.updated_at.isoformat()


def submitted_here(registration: Row[Any]) -> bool:
    """Return whether this browser submitted the registration's present answers."""
    return session.get("Registered") == _version(registration)


def is_entry_pending(registration: Row[Any]) -> bool:
    """Return whether this browser submitted the present answers and has not entered the product since."""
    return session.get("Entering") == _version(registration)


def _version(registration: Row[Any]) -> str:
    version: str = registration.updated_at.isoformat()
    return version


def mark_entered() -> None:
    """Record that this browser entered the product: the welcome page no longer redirects it there."""
    session.pop("Entering", None)


def is_form_of(purchase: Purchase, form_secret: str) -> bool:
    """Return whether a form with this secret is the purchase's, also if an earlier `SECRET_KEY` made it."""
    return form_secret == session["csrf_token"] or form_secret in form_secrets.all_known(_purchase_name(purchase))


def _purchase_name(purchase: Purchase) -> str:
    return purchase.landing.customer.purchase_key if isinstance(purchase, Resolved) else str(purchase.id)


def _store_purchase(purchase: Purchase) -> None:
    if isinstance(purchase, Pending):
        session.update(ParkedTokenId=str(purchase.id), OfferType=purchase.offer_type)
        return
    session.pop("ParkedTokenId", None)
    session.update({key: getattr(purchase.landing.customer, name) for key, name in CUSTOMER_KEYS.items()})
    session["OfferType"] = purchase.landing.unverified.offer_type
    session["SubscriptionId"] = str(purchase.subscription_id) if purchase.subscription_id else None


def _load_purchase() -> Purchase:
    if "ParkedTokenId" in session:
        return Pending(UUID(session["ParkedTokenId"]), session["OfferType"])
    customer = Customer(**{name: session[key] for key, name in CUSTOMER_KEYS.items()})
    subscription_id = session["SubscriptionId"]
    landing = Landing(customer, UnverifiedFields(session["OfferType"]))
    return Resolved(landing, UUID(subscription_id) if subscription_id else None)
