"""Buyers: their pending tokens, drafts, registrations, invitations, and accounts in the product."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column
from uuid_utils.compat import uuid7

from app.models.base import Base

# Why a product refuses to join a subscription to the account that the buyer asked for.
REFUSAL_REASONS = ("not_found", "not_allowed", "already_linked", "confirmation_needed", "not_supported")


class PendingToken(Base):
    """A registration token that AWS could not resolve at once. The worker retries it."""

    __tablename__ = "parked_tokens"
    __table_args__ = (CheckConstraint("(sealed IS NULL) = (next_try_at IS NULL)", name="sealed_while_tried"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    digest: Mapped[bytes] = mapped_column(unique=True, comment="SHA-256 of the token")
    sealed: Mapped[bytes | None] = mapped_column(comment="The token, encrypted; erased once it is resolved or dead")
    offer_type: Mapped[str | None] = mapped_column(String(64), comment="Unsigned: the browser said so")
    hints: Mapped[dict[str, Any]] = mapped_column(default=dict, comment="Other x-amzn-marketplace-* fields; unsigned")
    parked_at: Mapped[datetime]
    next_try_at: Mapped[datetime | None] = mapped_column(index=True, comment="None once it is resolved or dead")
    tries: Mapped[int] = mapped_column(default=0)
    fault: Mapped[str | None] = mapped_column(String(64), comment="Why the latest try failed")
    settled_at: Mapped[datetime | None] = mapped_column(index=True, comment="When it was resolved or died")
    subscription_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("subscriptions.id"), comment="The purchase it turned out to stand for"
    )


class StoredDraft(Base):
    """What a buyer typed into the sign-up form, where it does not fit the draft cookie. The cookie has the row's id."""

    __tablename__ = "drafts"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    purchase_digest: Mapped[bytes] = mapped_column(index=True, comment="SHA-256 of the secret of the purchase's form")
    sealed: Mapped[bytes] = mapped_column(comment="The answers by field, encrypted")
    stored_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)


class Registration(Base):
    """The answers of the sign-up form, for a subscription or, until AWS resolves the token, for a pending token."""

    __tablename__ = "registrations"
    __table_args__ = (
        CheckConstraint("(subscription_id IS NULL) <> (parked_token_id IS NULL)", name="linked_or_waiting"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    subscription_id: Mapped[UUID | None] = mapped_column(ForeignKey("subscriptions.id"), unique=True)
    parked_token_id: Mapped[UUID | None] = mapped_column(ForeignKey("parked_tokens.id"), unique=True)
    company: Mapped[str] = mapped_column(String(200))
    full_name: Mapped[str] = mapped_column(String(200))
    email: Mapped[str] = mapped_column(String(254))
    phone: Mapped[str | None] = mapped_column(String(50))
    notes: Mapped[str | None] = mapped_column(Text)
    account: Mapped[str] = mapped_column(
        String(36), default="new", comment="new, existing, or the id of the subscription whose account it shall join"
    )
    existing_account: Mapped[str | None] = mapped_column(String(200), comment="Which one, in the buyer's words")
    language: Mapped[str | None] = mapped_column(String(35), comment="BCP 47, of the form and the mails; None: English")
    answers: Mapped[list[dict[str, Any]] | None] = mapped_column(
        comment="To the product's own questions, each with the question as it was asked"
    )
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    sent_by: Mapped[bytes | None] = mapped_column(comment="SHA-256 of what tells the session")


class Invitation(Base):
    """An invitation by the purchaser for a colleague to set up the account. It works once, and expires."""

    __tablename__ = "invitations"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    subscription_id: Mapped[UUID] = mapped_column(ForeignKey("subscriptions.id"), index=True)
    email: Mapped[str | None] = mapped_column(String(254), comment="Erased once it is of no more use")
    language: Mapped[str | None] = mapped_column(String(35), comment="BCP 47, of the inviter's page; None: English")
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)
    accepted_at: Mapped[datetime | None]
    accepted_by: Mapped[bytes | None] = mapped_column(comment="SHA-256 of what tells the session")
    revoked_at: Mapped[datetime | None]


class Account(Base):
    """The product's reply to a hand-off: the account for a subscription, new or joined, or the reason for a refusal."""

    __tablename__ = "accounts"
    __table_args__ = (CheckConstraint(f"refused IN {REFUSAL_REASONS}", name="refused"),)

    subscription_id: Mapped[UUID] = mapped_column(ForeignKey("subscriptions.id"), primary_key=True)
    url: Mapped[str | None] = mapped_column(String(2048))
    reference: Mapped[str | None] = mapped_column(String(255))
    refused: Mapped[str | None] = mapped_column(String(32), comment="Why it is not the account that was asked for")
    answered_at: Mapped[datetime]
