"""Resolves pending tokens in the background, and attaches each registration to its purchase."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import structlog
from sqlalchemy import Connection, Row, bindparam, select, update

from app.aws import resolve_customer
from app.backoff import backoff_seconds
from app.config import products
from app.database import clock, leases
from app.database.leases import Lease, claim_statement, is_leased
from app.database.transactions import after_commit, transaction
from app.errors import ExpiredToken, InvalidToken, MarketplaceError, UnknownProduct
from app.models import PendingToken, Registration
from app.security import encryption
from app.services.outbox import announce, queue
from app.services.purchases import subscriptions
from app.services.purchases.purchase import Landing, UnverifiedFields
from app.services.signup import attach
from app.services.signup.pending_tokens import TOKEN_LIFETIME

log = structlog.get_logger()

# Longer than a call in the background takes, to an endpoint of several addresses too.
LEASE = timedelta(minutes=2)
FIRST_BACKOFF_SECONDS = 2
MAX_BACKOFF_SECONDS = 300
# A token whose resolving raises something unforeseen is given up, too.
MAX_PENDING_AGE = TOKEN_LIFETIME + timedelta(hours=1)

CLAIM = claim_statement(PendingToken.__table__, "next_try_at", updates={"tries": "tries + 1"})
UPDATE_IF_LEASED = update(PendingToken).where(is_leased(PendingToken.id, PendingToken.next_try_at))
UPDATE = update(PendingToken).where(PendingToken.id == bindparam("token_id"))
REGISTRATION_ID = select(Registration.id).where(Registration.parked_token_id == bindparam("token_id"))


@dataclass(frozen=True)
class ClaimedToken:
    """A pending token that this worker has claimed. `token` is None where its secret key is no longer set."""

    lease: Lease
    token: str | None
    row: Row[Any]

    @property
    def age(self) -> timedelta:
        """How long ago the buyer brought the token."""
        age: timedelta = clock.now() - self.row.parked_at
        return age


def resolve_next() -> bool | None:
    """Resolve the pending token that has been due for longest, and settle or reschedule it.

    Returns True where AWS answered, False where AWS could not be asked, None where no token is due. After
    DatabaseUnavailable, the token is due again when its lease ends.
    """
    claimed = claim()
    if claimed is None:
        return None
    if claimed.age >= MAX_PENDING_AGE:
        give_up(claimed, claimed.row.fault or ExpiredToken.__name__)
        return True
    try:
        _settle_resolved(claimed, _resolve(claimed))
    except (InvalidToken, ExpiredToken) as error:
        give_up(claimed, type(error).__name__)
    except UnknownProduct as error:
        # The seller may still configure the product. AWS has answered, so the next token can be tried at once.
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
    return Landing(customer, UnverifiedFields(claimed.row.offer_type, claimed.row.hints))


def _reschedule_or_give_up(claimed: ClaimedToken, error: MarketplaceError | UnknownProduct) -> bool:
    fault = type(error).__name__
    if claimed.age >= TOKEN_LIFETIME:
        give_up(claimed, fault)
        return True
    reschedule(claimed, fault)
    log.warning("token.rescheduled", parked=str(claimed.lease.id), fault=fault, code=error.code)
    return False


@transaction
def claim(connection: Connection) -> ClaimedToken | None:
    """Return the token that has been due for longest, claimed and decrypted; None where none is due."""
    claimed = leases.claim(connection, CLAIM, LEASE)
    if claimed is None:
        return None
    lease, row = claimed
    cipher = encryption.cipher(encryption.PENDING_TOKEN)
    token = cipher.decrypt(row.sealed) or cipher.decrypt_leaked(row.sealed)
    return ClaimedToken(lease, token.decode() if token else None, row)


@transaction
def reschedule(connection: Connection, claimed: ClaimedToken, fault: str) -> None:
    """Make the token due again after a backoff, unless another worker has claimed it since."""
    backoff = timedelta(seconds=backoff_seconds(claimed.row.tries, FIRST_BACKOFF_SECONDS, MAX_BACKOFF_SECONDS))
    values = {"next_try_at": clock.now() + backoff, "fault": fault}
    connection.execute(UPDATE_IF_LEASED, {**claimed.lease.parameters, **values})


@transaction
def give_up(connection: Connection, claimed: ClaimedToken, fault: str) -> None:
    """Erase the token, keep why it failed, and mail the buyer who has registered a link back to the form.

    A token that AWS calls invalid never was a buyer's: a buyer's expires. Then nobody is mailed, because anybody can
    make up a token and type a stranger's address.
    """
    after_commit(log.warning, "token.given_up", parked=str(claimed.lease.id), fault=fault)
    if not _settle(connection, claimed, fault=fault):
        return
    registration_id = connection.execute(REGISTRATION_ID, {"token_id": claimed.lease.id}).scalar_one_or_none()
    # A product that is not configured has no name and no support address to write with. AWS names it for four hours;
    # after that it answers only that the token has expired.
    is_ours = UnknownProduct.__name__ not in {fault, claimed.row.fault}
    is_buyers = is_ours and fault != InvalidToken.__name__
    if registration_id and products.current().sends_mail and is_buyers:
        queue.enqueue(connection, [queue.new_mail("buyer_resume", registration_id=registration_id)])


@transaction
def _settle_resolved(connection: Connection, claimed: ClaimedToken, landing: Landing) -> None:
    token_id = claimed.lease.id
    # Lock the pending token before the subscription, as the form does; otherwise the two deadlock.
    if not _settle(connection, claimed, fault=None):
        return
    subscription_id = subscriptions.upsert_in_transaction(connection, landing)
    connection.execute(UPDATE, {"token_id": token_id, "subscription_id": subscription_id})
    if handoff_type := attach.to_subscription(connection, Registration.parked_token_id == token_id, subscription_id):
        announce.announce(connection, subscription_id, handoff_type)
    after_commit(log.info, "token.resolved", parked=str(token_id), subscription=str(subscription_id))


def _settle(connection: Connection, claimed: ClaimedToken, fault: str | None) -> bool:
    """Erase the token; return False where another worker has claimed it since."""
    settled = {"sealed": None, "next_try_at": None, "settled_at": clock.now(), "fault": fault}
    return connection.execute(UPDATE_IF_LEASED, {**claimed.lease.parameters, **settled}).rowcount > 0
