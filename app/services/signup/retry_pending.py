"""Linking: resolves parked tokens in the background, and joins each purchase with its registration."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

import structlog
from sqlalchemy import Connection, select, update

from app.aws import resolve_customer
from app.backoff import backoff_seconds
from app.config import products
from app.database import leases
from app.database.leases import Lease, claim_statement, is_leased
from app.database.transactions import transaction
from app.errors import ExpiredToken, InvalidToken, MarketplaceError, UnknownProduct
from app.mail import mailer
from app.models import PendingToken, Registration
from app.security import encryption
from app.services.outbox import announce, queue
from app.services.purchases import subscriptions
from app.services.purchases.purchase import Landing, UnverifiedFields
from app.services.signup import registrations
from app.services.signup.pending_tokens import TOKEN_LIFETIME

log = structlog.get_logger()

# Longer than a patient call takes, to an endpoint of several addresses too: nobody else tries the same token
# meanwhile, and after a kill somebody does.
LEASE = timedelta(minutes=2)
FIRST_BACKOFF_SECONDS = 2
MAX_BACKOFF_SECONDS = 300
PERMANENT_ERRORS = (InvalidToken, ExpiredToken)
# What nobody foresaw is not tried for ever either.
MAX_PENDING_AGE = TOKEN_LIFETIME + timedelta(hours=1)

CLAIM = claim_statement(PendingToken, "next_try_at", updates={"tries": "tries + 1"})
IS_LEASED = is_leased(PendingToken.id, PendingToken.next_try_at)


@dataclass(frozen=True)
class ClaimedToken:
    """A pending token that the worker has claimed, decrypted; None where its secret key is no longer set."""

    lease: Lease
    token: str | None
    unverified: UnverifiedFields
    parked_at: datetime
    tries: int
    fault: str | None


def resolve_next() -> bool | None:
    """Resolve the parked token that is due first, and settle or postpone it.

    Returns True where it was settled, False where AWS could not be asked, None where none is due.

    Raises:
        DatabaseUnavailable: whatever was not settled comes up again.
    """
    claimed = claim(datetime.now(UTC))
    if claimed is None:
        return None
    if datetime.now(UTC) - claimed.parked_at >= MAX_PENDING_AGE:
        give_up(claimed, claimed.fault or ExpiredToken.__name__)
        return True
    try:
        _settle_resolved(claimed, _resolve(claimed))
    except PERMANENT_ERRORS as error:
        give_up(claimed, type(error).__name__)
    except UnknownProduct as error:
        # The seller may still add it; AWS has answered, and others can be asked about.
        _reschedule_or_give_up(claimed, error)
    except MarketplaceError as error:
        return _reschedule_or_give_up(claimed, error)
    return True


def _resolve(claimed: ClaimedToken) -> Landing:
    if claimed.token is None:
        log.error("token.unreadable", parked=str(claimed.lease.id))
        raise ExpiredToken("SecretKeyChanged")
    customer = resolve_customer.resolve_in_background(claimed.token)
    products.current()[customer.product_code]
    return Landing(customer, claimed.unverified)


def _reschedule_or_give_up(claimed: ClaimedToken, error: MarketplaceError | UnknownProduct) -> bool:
    if datetime.now(UTC) - claimed.parked_at >= TOKEN_LIFETIME:
        give_up(claimed, type(error).__name__)
        return True
    reschedule(claimed, type(error).__name__)
    log.warning("token.rescheduled", parked=str(claimed.lease.id), fault=type(error).__name__, code=error.code)
    return False


@transaction
def claim(connection: Connection, now: datetime) -> ClaimedToken | None:
    """Return the token that is due first, this worker's alone until its lease ends."""
    claimed = leases.claim(connection, CLAIM, now, LEASE)
    if claimed is None:
        return None
    lease, row = claimed
    token = encryption.pending_token_cipher().decrypt(row.sealed)
    said = UnverifiedFields(row.offer_type, row.hints)
    return ClaimedToken(lease, token.decode() if token else None, said, row.parked_at, row.tries, row.fault)


@transaction
def reschedule(connection: Connection, claimed: ClaimedToken, fault: str) -> None:
    """Let the token come up again later: ever later, the more often it was tried."""
    pause = timedelta(seconds=backoff_seconds(claimed.tries, FIRST_BACKOFF_SECONDS, MAX_BACKOFF_SECONDS))
    _update_if_claimed(connection, claimed, next_try_at=datetime.now(UTC) + pause, fault=fault)


def give_up(claimed: ClaimedToken, fault: str) -> None:
    """Erase the token, and keep why it came to nothing."""
    _give_up(claimed, fault)
    log.warning("token.given_up", parked=str(claimed.lease.id), fault=fault)


@transaction
def _give_up(connection: Connection, claimed: ClaimedToken, fault: str) -> None:
    if not _settle(connection, claimed, fault=fault):
        return
    waiting = select(Registration.id).where(Registration.parked_token_id == claimed.lease.id)
    registration_id = connection.execute(waiting).scalar_one_or_none()
    # Of a product that is not ours we have nothing to say but what the page says.
    # AWS itself says so for four hours, and after that no more than that the token has expired.
    is_ours = UnknownProduct.__name__ not in {fault, claimed.fault}
    if registration_id and mailer.is_enabled() and is_ours:
        queue.enqueue_mail(connection, "buyer_resume", registration_id=registration_id)


def _settle_resolved(claimed: ClaimedToken, landing: Landing) -> None:
    if subscription_id := _attach_subscription(claimed, landing):
        log.info("token.resolved", parked=str(claimed.lease.id), subscription=str(subscription_id))


@transaction
def _attach_subscription(connection: Connection, claimed: ClaimedToken, landing: Landing) -> UUID | None:
    # The parked token's row first, the subscription's next, as when the form is sent: two that wait for each other
    # would be a deadlock.
    if not _settle(connection, claimed, fault=None):
        return None
    subscription_id = subscriptions.upsert_in_transaction(connection, landing)
    connection.execute(
        update(PendingToken).where(PendingToken.id == claimed.lease.id).values(subscription_id=subscription_id)
    )
    if type_ := registrations.attach_to_subscription(
        connection, Registration.parked_token_id == claimed.lease.id, subscription_id
    ):
        announce.announce(connection, subscription_id, type_)
    return subscription_id


def _settle(connection: Connection, claimed: ClaimedToken, fault: str | None) -> bool:
    """Erase the token, since it has served whatever AWS said of it; return whether it was still the claimant's."""
    return _update_if_claimed(
        connection, claimed, sealed=None, next_try_at=None, settled_at=datetime.now(UTC), fault=fault
    )


def _update_if_claimed(connection: Connection, claimed: ClaimedToken, **values: object) -> bool:
    """Change the token, unless the lease ended and somebody else has taken it since; return whether it was changed."""
    change = update(PendingToken).where(IS_LEASED).values(**values)
    return connection.execute(change, claimed.lease.parameters).rowcount > 0
