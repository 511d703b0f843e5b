"""How surely the product has made an account for a registration: this decides whose answers stand where two are joined.

The product gives one account to one subscription, and names it in its reply to every later hand-off, also to one that
tells of another person. So answers may be replaced by another person's only while no account can exist.
"""

from enum import IntEnum
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, and_, bindparam, case, func, or_, select

from app.models import OutboxMessage, Registration
from app.services.outbox import account_reply, announce
from app.services.outbox.account_reply import AccountReply
from app.services.outbox.queue import ClaimedMessage


class Claim(IntEnum):
    """The claims, the weakest first.

    NONE: no account was asked for, or the product refused. WAITING: the hand-off waits for its first try. UNCERTAIN: it
    was tried, and the product may have taken one of the tries although no reply arrived. TAKEN: the product took it.
    NAMED: a reply named the account.
    """

    NONE = 0
    WAITING = 1
    UNCERTAIN = 2
    TAKEN = 3
    NAMED = 4


# With these, and where a proxy is the reason, a try did not reach the product, or the product answered that it does not
# accept it.
FAULTS_WITHOUT_ACCOUNT = ("private_address", "url", "dns", "refused", "unreachable", "tls", "501", "503")
PROXY_FAULTS = "proxy_"
IS_NOT_TAKEN = or_(
    OutboxMessage.fault.in_(FAULTS_WITHOUT_ACCOUNT),
    OutboxMessage.fault.like("4__"),
    OutboxMessage.fault.startswith(PROXY_FAULTS, autoescape=True),
)
IS_WAITING = OutboxMessage.outcome == "waiting"
IS_TAKEN = and_(OutboxMessage.outcome == "delivered", OutboxMessage.fault.is_(None))
IS_FAILED = OutboxMessage.outcome == "failed"
# The latest fault says nothing about the tries before it.
IS_UNCERTAIN = or_(
    and_(IS_WAITING, OutboxMessage.tries > 0),
    and_(IS_FAILED, ~IS_NOT_TAKEN),
    and_(or_(IS_WAITING, IS_FAILED), OutboxMessage.unsure_tries > 0),
)
CLAIM = case((IS_TAKEN, Claim.TAKEN), (IS_UNCERTAIN, Claim.UNCERTAIN), (IS_WAITING, Claim.WAITING), else_=0)
IS_REQUEST = OutboxMessage.type.in_(announce.REGISTRATION_TYPES)
STRONGEST = select(
    func.coalesce(func.max(CLAIM), 0).label("strongest_handoff"),
    func.coalesce(func.max(case((IS_REQUEST, CLAIM))), 0).label("strongest_request"),
).where(OutboxMessage.registration_id == bindparam("claimant"), OutboxMessage.sequence.is_not(None))
COUNT_REQUESTS = select(func.count()).where(OutboxMessage.registration_id == bindparam("claimant"), IS_REQUEST)
REGISTRATION_ID = select(Registration.id).where(Registration.subscription_id == bindparam("claimed"))


def of_registration(connection: Connection, account: AccountReply | None, claimant: UUID) -> Claim:
    """Return the registration's claim; `account` is what is stored of the product's replies for its subscription."""
    return from_handoffs(account, connection.execute(STRONGEST, {"claimant": claimant}).one())


def from_handoffs(account: AccountReply | None, strongest: Row[Any]) -> Claim:
    """Return the claim by the product's replies and, where they leave it open, by a row of `STRONGEST`."""
    if account and account_reply.is_identified(account):
        return Claim.NAMED
    if account and account.refused is None:
        return Claim.TAKEN
    # Every hand-off has all the data, so the product may have made the account at any. Where it has refused the account
    # that was asked for, it may have taken an earlier request.
    return Claim(strongest.strongest_request if account else strongest.strongest_handoff)


def was_requested(connection: Connection, registration_id: UUID) -> bool:
    """Return whether the product was, or is to be, asked for the registration's account."""
    return connection.execute(COUNT_REQUESTS, {"claimant": registration_id}).scalar_one() > 0


def settled_try(claimed: ClaimedMessage, fault: str | None) -> dict[str, int]:
    """Return the values that record a try which the product certainly did not take; none where it may have."""
    is_refused = fault is not None and (
        fault in FAULTS_WITHOUT_ACCOUNT or fault.startswith(PROXY_FAULTS) or (fault.isdecimal() and fault[0] == "4")
    )
    return {"unsure_tries": claimed.unsure_tries - 1} if is_refused else {}


def of_subscription(connection: Connection, subscription_id: UUID) -> Claim:
    """Return the claim of the subscription's registration; without one, whether the product has named an account."""
    account = account_reply.account_of(connection, subscription_id)
    registration_id = connection.execute(REGISTRATION_ID, {"claimed": subscription_id}).scalar_one_or_none()
    if registration_id:
        return of_registration(connection, account, registration_id)
    return Claim.NAMED if account and account_reply.is_identified(account) else Claim.NONE
