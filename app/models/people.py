"""Buyers: their pending tokens, drafts, registrations, invitations, and accounts in the product."""

from sqlalchemy import JSON, CheckConstraint, Column, ForeignKey, Integer, LargeBinary, String, Text, Uuid
from uuid_utils.compat import uuid7

from app.models.base import Model, UtcDateTime

# Why a product refuses to join a subscription to the account that the buyer asked for.
REFUSAL_REASONS = ("not_found", "not_allowed", "already_linked", "confirmation_needed", "not_supported")


class PendingToken(Model):
    """A registration token that AWS could not resolve at once. The worker retries it."""

    __tablename__ = "parked_tokens"
    __table_args__ = (CheckConstraint("(sealed IS NULL) = (next_try_at IS NULL)", name="sealed_while_tried"),)

    id = Column(Uuid, primary_key=True, default=uuid7)
    digest = Column(LargeBinary, nullable=False, unique=True, comment="SHA-256 of the token")
    sealed = Column(LargeBinary, comment="The token, encrypted; erased once it is resolved or dead")
    offer_type = Column(String(64), comment="Unsigned: the browser said so")
    hints = Column(JSON, nullable=False, default=dict, comment="Other x-amzn-marketplace-* fields; unsigned")
    parked_at = Column(UtcDateTime, nullable=False)
    next_try_at = Column(UtcDateTime, index=True, comment="None once it is resolved or dead")
    tries = Column(Integer, nullable=False, default=0)
    fault = Column(String(64), comment="Why the latest try failed")
    settled_at = Column(UtcDateTime, index=True, comment="When it was resolved or died")
    subscription_id = Column(Uuid, ForeignKey("subscriptions.id"), comment="The purchase it turned out to stand for")


class StoredDraft(Model):
    """What a buyer typed into the sign-up form, where it does not fit the draft cookie. The cookie has the row's id."""

    __tablename__ = "drafts"

    id = Column(Uuid, primary_key=True, default=uuid7)
    purchase_digest = Column(
        LargeBinary, nullable=False, index=True, comment="SHA-256 of the secret of the purchase's form"
    )
    sealed = Column(LargeBinary, nullable=False, comment="The answers by field, encrypted")
    stored_at = Column(UtcDateTime, nullable=False)
    expires_at = Column(UtcDateTime, nullable=False, index=True)


class Registration(Model):
    """The answers of the sign-up form, for a subscription or, until AWS resolves the token, for a pending token."""

    __tablename__ = "registrations"
    __table_args__ = (
        CheckConstraint("(subscription_id IS NULL) <> (parked_token_id IS NULL)", name="linked_or_waiting"),
    )

    id = Column(Uuid, primary_key=True, default=uuid7)
    subscription_id = Column(Uuid, ForeignKey("subscriptions.id"), unique=True)
    parked_token_id = Column(Uuid, ForeignKey("parked_tokens.id"), unique=True)
    company = Column(String(200), nullable=False)
    full_name = Column(String(200), nullable=False)
    email = Column(String(254), nullable=False)
    phone = Column(String(50))
    notes = Column(Text)
    account = Column(
        String(36),
        nullable=False,
        default="new",
        comment="new, existing, or the id of the subscription whose account it shall join",
    )
    existing_account = Column(String(200), comment="Which one, in the buyer's words")
    language = Column(String(35), comment="BCP 47, of the form and the mails; None: English")
    answers = Column(
        JSON(none_as_null=True), comment="To the product's own questions, each with the question as it was asked"
    )
    created_at = Column(UtcDateTime, nullable=False)
    updated_at = Column(UtcDateTime, nullable=False)
    sent_by = Column(LargeBinary, comment="SHA-256 of what tells the session")


class Invitation(Model):
    """An invitation by the purchaser for a colleague to set up the account. It works once, and expires."""

    __tablename__ = "invitations"

    id = Column(Uuid, primary_key=True, default=uuid7)
    subscription_id = Column(Uuid, ForeignKey("subscriptions.id"), nullable=False, index=True)
    email = Column(String(254), comment="Erased once it is of no more use")
    language = Column(String(35), comment="BCP 47, of the inviter's page; None: English")
    created_at = Column(UtcDateTime, nullable=False)
    expires_at = Column(UtcDateTime, nullable=False, index=True)
    accepted_at = Column(UtcDateTime)
    accepted_by = Column(LargeBinary, comment="SHA-256 of what tells the session")
    revoked_at = Column(UtcDateTime)


class Account(Model):
    """The product's reply to a hand-off: the account for a subscription, new or joined, or the reason for a refusal."""

    __tablename__ = "accounts"
    __table_args__ = (CheckConstraint(f"refused IN {REFUSAL_REASONS}", name="refused"),)

    subscription_id = Column(Uuid, ForeignKey("subscriptions.id"), primary_key=True)
    url = Column(String(2048))
    reference = Column(String(255))
    refused = Column(String(32), comment="Why it is not the account that was asked for")
    answered_at = Column(UtcDateTime, nullable=False)
