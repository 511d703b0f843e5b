"""What an operator asks about events: what AWS has told us, what became of it, and which purchase it may be about."""

from uuid import UUID

from sqlalchemy import exists, or_, select
from sqlalchemy.orm import Session

from app.database import rows
from app.database.rows import RowDict
from app.database.transactions import query
from app.models import Event, Subscription
from app.services.events import agreements as events_agreements

SELECTED_COLUMNS = (
    Event.id,
    Event.aws_id,
    Event.channel,
    Event.kind,
    Event.happened_at,
    Event.received_at,
    Event.outcome,
    Event.status_after,
    Event.subscription_id,
    Event.product_code,
    Event.customer_aws_account_id,
    Event.customer_identifier,
    Event.license_arn,
    Event.agreement_id,
    Event.previous_agreement_id,
)


@query
def newest(
    session: Session,
    *,
    limit: int,
    outcome: str | None = None,
    subscription_id: UUID | None = None,
    product_code: str | None = None,
) -> list[RowDict]:
    """Return the events that match every filter given, the last received first, without their bodies."""
    wanted = rows.filter_conditions({Event.outcome: outcome, Event.subscription_id: subscription_id})
    if product_code is not None:
        # An agreement's event has no product code: which product it is about, its subscription tells.
        of_product = exists().where(Subscription.id == Event.subscription_id, Subscription.product_code == product_code)
        wanted.append(or_(Event.product_code == product_code, of_product))
    return rows.fetch_all(session, select(*SELECTED_COLUMNS).where(*wanted).order_by(Event.id.desc()).limit(limit))


@query
def find_by_any_id(session: Session, identifier: str) -> RowDict | None:
    """Return the event that AWS or we call by that id, with its body."""
    event_id = rows.parse_uuid(identifier)
    # What we call by an id comes before what AWS happens to call so.
    for condition in ([Event.id == event_id] if event_id else []) + [Event.aws_id == identifier]:
        if found := rows.fetch_all(session, select(*SELECTED_COLUMNS, Event.body).where(condition)):
            return found[0]
    return None


@query
def list_by_subscription(session: Session, subscription_id: UUID) -> list[RowDict]:
    """Return the subscription's events in the order in which they happened, without their bodies."""
    told = select(*SELECTED_COLUMNS).where(Event.subscription_id == subscription_id)
    return rows.fetch_all(session, told.order_by(Event.happened_at, Event.id))


@query
def next_id_with_outcome(session: Session, outcome: str, last_id: UUID | None = None) -> UUID | None:
    """Return the id of the oldest event with that outcome, of those after another."""
    ids = select(Event.id).where(Event.outcome == outcome).order_by(Event.id).limit(1)
    return session.scalar(ids if last_id is None else ids.where(Event.id > last_id))


@query
def candidate_subscription_ids(session: Session, event: RowDict) -> list[UUID]:
    """Return the subscriptions that an ambiguous event may be about: its customer's, or its agreements' holders."""
    if event["customer_identifier"]:
        theirs = select(Subscription.id).where(
            Subscription.customer_identifier == event["customer_identifier"],
            Subscription.product_code == event["product_code"],
        )
        return sorted(session.scalars(theirs))
    agreements = [event[name] for name in ("agreement_id", "previous_agreement_id") if event[name]]
    return sorted(session.scalars(events_agreements.select_ids_by_agreement(agreements)))
