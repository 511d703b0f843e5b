"""Linking: resolves parked tokens in the background, and joins each purchase with its registration."""

import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

import structlog
from sqlalchemy import Connection, bindparam, select, text, update

from app.aws import resolve_customer
from app.config import products
from app.database.transactions import transaction
from app.errors import ExpiredToken, InvalidToken, MarketplaceError, UnknownProduct
from app.mail import mailer
from app.models import Instant, ParkedToken, Registration
from app.security import encryption
from app.services.outbox import announce, queue
from app.services.purchases import subscriptions
from app.services.purchases.purchase import Arrival, Said
from app.services.signup import registrations
from app.services.signup.pending_tokens import LIFETIME

log = structlog.get_logger()

# Longer than a patient call takes, to an endpoint of several addresses too: nobody else tries the same token
# meanwhile, and after a kill somebody does.
LEASE = timedelta(minutes=2)
FIRST_PAUSE_SECONDS = 2
LONGEST_PAUSE_SECONDS = 300
FATAL = (InvalidToken, ExpiredToken)
# What nobody foresaw is not tried for ever either.
LONGEST_KEPT = LIFETIME + timedelta(hours=1)

# Two workers may see the same token due: the second finds it claimed when its turn comes.
CLAIM = (
    text(
        "UPDATE parked_tokens SET next_try_at = :lease, tries = tries + 1 WHERE next_try_at <= :now AND id ="
        " (SELECT id FROM parked_tokens WHERE next_try_at <= :now ORDER BY next_try_at LIMIT 1) RETURNING id"
    )
    .bindparams(bindparam("now", type_=Instant), bindparam("lease", type_=Instant))
    .columns(ParkedToken.__table__.c.id)
)


@dataclass(frozen=True)
class Claimed:
    """A parked token that is this worker's to resolve until its lease ends."""

    id: UUID
    token: str | None
    said: Said
    parked_at: datetime
    tries: int
    fault: str | None


def link_next() -> bool | None:
    """Resolve the parked token that is due first, and settle or postpone it.

    Returns True where it was settled, False where AWS could not be asked, None where none is due.

    Raises:
        DatabaseUnavailable: whatever was not settled comes up again.
    """
    claimed = claim(datetime.now(UTC))
    if claimed is None:
        return None
    if datetime.now(UTC) - claimed.parked_at >= LONGEST_KEPT:
        give_up(claimed, claimed.fault or ExpiredToken.__name__)
        return True
    try:
        _link(claimed, _arrival(claimed))
    except FATAL as error:
        give_up(claimed, type(error).__name__)
    except UnknownProduct as error:
        # The seller may still add it; AWS has answered, and others can be asked about.
        _not_yet(claimed, error)
    except MarketplaceError as error:
        return _not_yet(claimed, error)
    return True


def _arrival(claimed: Claimed) -> Arrival:
    if claimed.token is None:
        log.error("token.unreadable", parked=str(claimed.id))
        raise ExpiredToken("SecretKeyChanged")
    customer = resolve_customer.resolve_patiently(claimed.token)
    products.current()[customer.product_code]
    return Arrival(customer, claimed.said)


def _not_yet(claimed: Claimed, error: MarketplaceError | UnknownProduct) -> bool:
    if datetime.now(UTC) - claimed.parked_at >= LIFETIME:
        give_up(claimed, type(error).__name__)
        return True
    postpone(claimed, type(error).__name__)
    log.warning("token.postponed", parked=str(claimed.id), fault=type(error).__name__, code=error.code)
    return False


@transaction
def claim(connection: Connection, now: datetime) -> Claimed | None:
    """Return the token that is due first, this worker's alone until its lease ends."""
    parked_id = connection.execute(CLAIM, {"now": now, "lease": now + LEASE}).scalar_one_or_none()
    if parked_id is None:
        return None
    row = connection.execute(select(ParkedToken.__table__).where(ParkedToken.id == parked_id)).one()
    token = encryption.parked_tokens().open(row.sealed)
    said = Said(row.offer_type, row.hints)
    return Claimed(row.id, token.decode() if token else None, said, row.parked_at, row.tries, row.fault)


@transaction
def postpone(connection: Connection, claimed: Claimed, fault: str) -> None:
    """Let the token come up again later: ever later, the more often it was tried."""
    # Full jitter: tokens that were parked together do not all come again together.
    longest = min(FIRST_PAUSE_SECONDS * 2**claimed.tries, LONGEST_PAUSE_SECONDS)
    pause = timedelta(seconds=random.uniform(FIRST_PAUSE_SECONDS, longest))  # noqa: S311
    _change(connection, claimed, next_try_at=datetime.now(UTC) + pause, fault=fault)


def give_up(claimed: Claimed, fault: str) -> None:
    """Erase the token, and keep why it came to nothing."""
    _bury(claimed, fault)
    log.warning("token.died", parked=str(claimed.id), fault=fault)


@transaction
def _bury(connection: Connection, claimed: Claimed, fault: str) -> None:
    if not _settle(connection, claimed, fault=fault):
        return
    waiting = select(Registration.id).where(Registration.parked_token_id == claimed.id)
    registration_id = connection.execute(waiting).scalar_one_or_none()
    # Of a product that is not ours we have nothing to say but what the page says.
    # AWS itself says so for four hours, and after that no more than that the token has expired.
    is_ours = UnknownProduct.__name__ not in {fault, claimed.fault}
    if registration_id and mailer.is_on() and is_ours:
        queue.put_mail(connection, "buyer_resume", registration_id=registration_id)


def _link(claimed: Claimed, arrival: Arrival) -> None:
    if subscription_id := _join(claimed, arrival):
        log.info("token.resolved", parked=str(claimed.id), subscription=str(subscription_id))


@transaction
def _join(connection: Connection, claimed: Claimed, arrival: Arrival) -> UUID | None:
    # The parked token's row first, the subscription's next, as when the form is sent: two that wait for each other
    # would be a deadlock.
    if not _settle(connection, claimed, fault=None):
        return None
    subscription_id = subscriptions.record(connection, arrival)
    connection.execute(update(ParkedToken).where(ParkedToken.id == claimed.id).values(subscription_id=subscription_id))
    if type_ := registrations.join(connection, Registration.parked_token_id == claimed.id, subscription_id):
        announce.tell(connection, subscription_id, type_)
    return subscription_id


def _settle(connection: Connection, claimed: Claimed, fault: str | None) -> bool:
    """Erase the token, since it has served whatever AWS said of it; return whether it was still the claimant's."""
    return _change(connection, claimed, sealed=None, next_try_at=None, settled_at=datetime.now(UTC), fault=fault)


def _change(connection: Connection, claimed: Claimed, **values: object) -> bool:
    """Change the token, unless the lease ended and somebody else has taken it since; return whether it was changed."""
    mine = (ParkedToken.id == claimed.id, ParkedToken.tries == claimed.tries, ParkedToken.settled_at.is_(None))
    return connection.execute(update(ParkedToken).where(*mine).values(**values)).rowcount > 0
