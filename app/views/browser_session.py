"""The purchase that this browser came with, kept in its signed session: never the token itself."""

import secrets
from dataclasses import dataclass
from hashlib import sha256
from hmac import HMAC
from uuid import UUID

from flask import current_app, session

from app.aws.customer import Customer
from app.config import products
from app.config.products import Product
from app.errors import NoPurchase
from app.models import Registration
from app.services.operations import audit
from app.services.purchases.keys import purchase_key
from app.services.purchases.purchase import Landing, Pending, Purchase, Resolved, UnverifiedFields
from app.services.signup import invitations, resolve
from app.services.signup.registrations import StoredRegistration


@dataclass(frozen=True)
class Visit:
    """One browser's purchase, and the product: None where several are sold and AWS has not told which it is."""

    purchase: Purchase
    product: Product | None

    @property
    def customer(self) -> Customer | None:
        """Who bought, if AWS has told."""
        return self.purchase.landing.customer if isinstance(self.purchase, Resolved) else None

    @property
    def offer_type(self) -> str | None:
        """What the browser said the offer was."""
        purchase = self.purchase
        return purchase.landing.unverified.offer_type if isinstance(purchase, Resolved) else purchase.offer_type


def clear() -> None:
    """Forget whatever purchase this browser came with before."""
    session.clear()


def start(purchase: Purchase, invitation_id: UUID | None = None) -> None:
    """Start this browser's session with the purchase it came with, and with the invitation if one brought it."""
    session.permanent = True
    session["csrf_token"] = _form_secret(purchase, current_app.config["SECRET_KEY"])
    if invitation_id:
        session["InvitationId"] = str(invitation_id)
    _store_purchase(purchase)


def browser_id() -> bytes:
    """Return what tells this browser from every other, until another purchase comes with it."""
    if "Browser" not in session:
        session["Browser"] = secrets.token_hex(16)
    return str(session["Browser"]).encode()


def is_invited() -> bool:
    """Return whether a colleague's invitation brought this browser."""
    return "InvitationId" in session


def has_accepted(invitation_id: UUID) -> bool:
    """Return whether this browser is the one that accepted that invitation."""
    return session.get("InvitationId") == str(invitation_id)


def actor() -> str:
    """Return what the audit calls whoever sits at this browser: the buyer, or the colleague of an invitation."""
    invitation_id = session.get("InvitationId")
    return invitations.actor(UUID(invitation_id)) if invitation_id else audit.BUYER_ACTOR


def current() -> Visit:
    """Return the purchase this browser came with, as far as it is known by now.

    Raises:
        NoPurchase: the cookie is lost, expired or of another key.
        UnknownProduct: the product is no longer one of ours.
    """
    try:
        known = _load_purchase()
    except (KeyError, TypeError, ValueError):
        # Signed by another version of ours, which kept it another way.
        raise NoPurchase from None
    purchase = resolve.refresh(known)
    if purchase != known:
        # The form's secret stays: a form that was open meanwhile is still this purchase's.
        _store_purchase(purchase)
    return Visit(purchase, _product_of(purchase))


def mark_submitted(completed: StoredRegistration) -> None:
    """Note what this browser has sent, so that it may see in full what it sent, and that alone."""
    if completed.subscription_id:
        session["SubscriptionId"] = str(completed.subscription_id)
    session["Registered"] = session["Entering"] = completed.updated_at.isoformat()


def submitted_here(registration: Registration) -> bool:
    """Return whether these answers are the ones that this browser sent."""
    return session.get("Registered") == registration.updated_at.isoformat()


def enter_pending(registration: Registration) -> bool:
    """Return whether this browser has sent these answers and has not been let into the product since."""
    return session.get("Entering") == registration.updated_at.isoformat()


def mark_entered() -> None:
    """Note that this browser has been let into the product: its next visit here stays here."""
    session.pop("Entering", None)


def is_form_of(purchase: Purchase, form_secret: str) -> bool:
    """Return whether the form that had this secret, under this secret key or an earlier one, is the purchase's."""
    keys = [current_app.config["SECRET_KEY"], *current_app.config["SECRET_KEY_FALLBACKS"]]
    return form_secret == session["csrf_token"] or form_secret in {_form_secret(purchase, key) for key in keys}


def _form_secret(purchase: Purchase, key: str) -> str:
    """Return what Flask-WTF signs into the form.

    One for each purchase: two tabs of the same purchase can both be sent, and a form of one purchase is
    refused once the browser holds another.
    """
    name = purchase_key(purchase.landing.customer) if isinstance(purchase, Resolved) else str(purchase.id)
    return HMAC(key.encode(), f"signup-form:{name}".encode(), sha256).hexdigest()


def _store_purchase(purchase: Purchase) -> None:
    if isinstance(purchase, Pending):
        session.update(ParkedTokenId=str(purchase.id), OfferType=purchase.offer_type)
        return
    session.pop("ParkedTokenId", None)
    customer = purchase.landing.customer
    session.update(
        CustomerIdentifier=customer.customer_identifier,
        ProductCode=customer.product_code,
        CustomerAWSAccountId=customer.customer_aws_account_id,
        LicenseArn=customer.license_arn,
        AgreementId=customer.agreement_id,
        OfferType=purchase.landing.unverified.offer_type,
        SubscriptionId=str(purchase.subscription_id) if purchase.subscription_id else None,
    )


def _load_purchase() -> Purchase:
    if "ParkedTokenId" in session:
        return Pending(UUID(session["ParkedTokenId"]), session["OfferType"])
    customer = Customer(
        product_code=session["ProductCode"],
        customer_aws_account_id=session["CustomerAWSAccountId"],
        customer_identifier=session["CustomerIdentifier"],
        license_arn=session["LicenseArn"],
        agreement_id=session["AgreementId"],
    )
    subscription_id = session["SubscriptionId"]
    said = UnverifiedFields(session["OfferType"])
    return Resolved(Landing(customer, said), UUID(subscription_id) if subscription_id else None)


def _product_of(purchase: Purchase) -> Product | None:
    sold = products.current()
    if isinstance(purchase, Resolved):
        return sold[purchase.landing.customer.product_code]
    return next(iter(sold.values())) if len(sold) == 1 else None
