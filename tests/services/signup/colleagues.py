"""Colleagues in tests: invited to set up a purchase."""

from typing import Any
from uuid import UUID

from flask import Flask
from sqlalchemy import Row

from app.services.operations.audit import BUYER_ACTOR
from app.services.purchases import subscriptions
from app.services.signup import invitations
from app.services.signup.invitations import Refusal
from tests.support import factories

COLLEAGUE_EMAIL = "grace.hopper@gmail.com"


def invite(app: Flask, subscription_id: UUID, email: str = COLLEAGUE_EMAIL) -> Row[Any] | Refusal:
    """Invite the address as the buyer does; return the invitation or why there is none."""
    with app.app_context():
        return invitations.invite(subscription_id, email, BUYER_ACTOR)


def create_invitation(app: Flask, subscription_id: UUID, email: str = COLLEAGUE_EMAIL) -> UUID:
    """Invite the address, which must not be refused; return the invitation's id."""
    invitation = invite(app, subscription_id, email)
    assert not isinstance(invitation, Refusal)
    return UUID(str(invitation.id))


def create_other_subscription(app: Flask) -> UUID:
    """Store another purchase of the same customer; return the subscription's id."""
    license_arn = "arn:aws:license-manager::294406891311:license:l-another"
    landing = factories.landing(license_arn=license_arn, agreement_id="agmt-another")
    with app.app_context():
        return subscriptions.upsert_from_landing(landing)
