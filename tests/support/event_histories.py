"""Lets AWS's events, landings and forms come to the application in the order that a test gives them."""

from typing import Any
from uuid import UUID

from flask import Flask
from sqlalchemy import Row

from app.models import Subscription
from app.services.events import apply, review
from app.services.events.apply import EventResult
from app.services.purchases import subscriptions
from app.services.signup import registrations
from tests.support import factories
from tests.support.aws_events import LICENSE_ID, eventbridge_event, parse_event
from tests.support.stored_rows import all_rows

CREATED, AMENDED, ENDED = (f"Purchase Agreement {verb} - Proposer" for verb in ("Created", "Amended", "Ended"))
UPDATED, DEPROVISIONED = "License Updated - Manufacturer", "License Deprovisioned - Manufacturer"
LICENSE_ARN = f"arn:aws:license-manager::294406891311:license:{LICENSE_ID}"


def ingest(app: Flask, *bodies: dict[str, Any]) -> list[EventResult | None]:
    """Ingest the events in this order, and return what each did."""
    with app.app_context():
        return [apply.ingest(parse_event(body)) for body in bodies]


def ingest_licenses_of_two_accounts(app: Flask) -> None:
    """Ingest a license of each of two AWS accounts, under agreements of their own."""
    ingest(
        app,
        eventbridge_event(UPDATED, license="l-a", agreement="agmt-a", account="111111111111"),
        eventbridge_event(UPDATED, license="l-b", agreement="agmt-b", account="222222222222"),
    )


def land(app: Flask, **customer: Any) -> UUID:
    """Store a landing of the usual customer with these values, and let the worker review it."""
    with app.app_context():
        subscription_id = subscriptions.upsert_from_landing(factories.landing(**customer))
        while review.process_next() is not None:
            pass
    return subscription_id


def sign_up(app: Flask, company: str, **customer: Any) -> None:
    """Complete the sign-up form for the usual customer with these values."""
    with app.app_context():
        registrations.complete(factories.resolved(**customer), factories.answers(company=company))


def only_subscription(app: Flask) -> Row[Any]:
    """Return the one subscription that is stored."""
    [subscription] = all_rows(app, Subscription)
    return subscription
