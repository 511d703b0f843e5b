"""The product's replies to hand-offs: which account a purchase is in, and whose account that is.

A reply says where the account is (`url`), what the product calls it (`reference`), or why it is not the one that the
buyer asked for (`refused`). All may be left out: a product that makes accounts by hand replies 200 with an empty body.
So an account may exist although no reply has named one. Ada and Bob registered for one purchase, each in a browser:

    hand-off                         reply                       stored: url, reference, refused   account exists
    1 registration.completed (Ada)   {}                          -        -       -                yes, it may
    2 registration.updated: acme-7   {"refused": "not_found"}    -        -       not_found        yes, since 1
    3 subscription.activated         {}                          -        -       not_found        yes
    4 subscription.ending            U7, "team-7"                U7       team-7  -                yes
    5 registration.updated: team-8   {"reference": "team-8"}     -        team-8  -                yes

3 asked for no account, so an empty reply leaves the refusal. 4 names an account, which ends a refusal at any event.
5 names another account, so the URL of team-7 is dropped: it would let the buyer into the wrong account.

The account belongs to the registration whose hand-off the product took. Once AWS says that Ada and Bob bought the same
thing, one registration stays (`signup.attach.to_subscription`): while Ada's account exists, or may exist because her
hand-off waits, hers stays and Bob is not let in. Where the product refused Ada's first hand-off, no account exists, and
the newest stays. `send_handoff` ignores the reply to a hand-off that was sent again after a newer request was
delivered, and to one about a person whose registration is gone.
"""

import json
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from sqlalchemy import Connection, Row, bindparam, insert, select, update

from app.database import clock
from app.models import Account
from app.models.people import REFUSAL_REASONS

MAX_URL_LENGTH, MAX_REFERENCE_LENGTH = 2048, 255
SELECT_ACCOUNT = select(Account.url, Account.reference, Account.refused).where(
    Account.subscription_id == bindparam("account_of")
)
# For a statement that joins the account to another table: `of_row` reads them.
COLUMNS = tuple(
    Account.__table__.c[name].label(f"account_{name}") for name in ("url", "reference", "refused", "answered_at")
)
INSERT_ACCOUNT = insert(Account)
UPDATE_ACCOUNT = update(Account).where(Account.subscription_id == bindparam("account_of"))


@dataclass(frozen=True)
class AccountReply:
    """What the product says about an account: in its reply to one hand-off, or in all replies so far together."""

    url: str | None = None
    reference: str | None = None
    refused: str | None = None


EMPTY_REPLY = AccountReply()


def parse(body: bytes, *, allow_http: bool = False) -> AccountReply | None:
    """Return the reply in a response's body; None where the body is neither empty nor a JSON object.

    A member that is not valid is left out and the others count: a URL that no browser opens leaves the reference.
    """
    if not body.strip():
        return EMPTY_REPLY
    try:
        members = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(members, dict):
        return None
    url, reference, refused = members.get("url"), members.get("reference"), members.get("refused")
    return AccountReply(
        url=url if isinstance(url, str) and is_valid_url(url, allow_http=allow_http) else None,
        reference=reference if isinstance(reference, str) and _is_valid_reference(reference) else None,
        # The buyer reads "not_supported" where the product gives a reason that we do not know.
        refused=(refused if refused in REFUSAL_REASONS else "not_supported") if refused else None,
    )


def is_valid_url(url: str, *, allow_http: bool) -> bool:
    """Return whether this is a well-formed https URL, or http if `allow_http`, with a host and no user name."""
    if len(url) > MAX_URL_LENGTH or not url.isprintable() or " " in url:
        return False
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").encode("idna"), parts.port
    except ValueError:
        return False
    schemes = {"https", "http"} if allow_http else {"https"}
    return bool(host) and port != 0 and "@" not in parts.netloc and parts.scheme in schemes


def _is_valid_reference(text: str) -> bool:
    # PostgreSQL stores neither NUL nor half a surrogate pair.
    return 0 < len(text) <= MAX_REFERENCE_LENGTH and text.isprintable()


def account_of(connection: Connection, subscription_id: UUID) -> AccountReply | None:
    """Return what the replies about the subscription add up to; None before the first reply."""
    row = connection.execute(SELECT_ACCOUNT, {"account_of": subscription_id}).one_or_none()
    return AccountReply(*row) if row else None


def of_row(row: Row[Any]) -> AccountReply | None:
    """Return the same from a row with `COLUMNS`."""
    if row.account_answered_at is None:
        return None
    return AccountReply(row.account_url, row.account_reference, row.account_refused)


def is_identified(account: AccountReply) -> bool:
    """Return whether the product has named an account."""
    return bool(account.url or account.reference)


def store(connection: Connection, subscription_id: UUID, reply: AccountReply, *, account_requested: bool) -> bool:
    """Add the reply to what is stored, and return whether that changed anything.

    The caller has locked the subscription. `account_requested` says whether the hand-off asked for an account.
    """
    if reply == EMPTY_REPLY and not account_requested:
        return False
    stored = account_of(connection, subscription_id)
    before = stored or EMPTY_REPLY
    after = _combine(before, reply, account_requested=account_requested)
    values = {**asdict(after), "answered_at": clock.now()}
    if stored:
        connection.execute(UPDATE_ACCOUNT, {"account_of": subscription_id, **values})
    else:
        connection.execute(INSERT_ACCOUNT, {"subscription_id": subscription_id, **values})
    return after != before


def _combine(before: AccountReply, reply: AccountReply, *, account_requested: bool) -> AccountReply:
    is_other_account = reply.reference and before.reference not in {None, reply.reference}
    replaces_refusal = account_requested or is_identified(reply)
    return AccountReply(
        url=reply.url if is_other_account else reply.url or before.url,
        reference=reply.reference or before.reference,
        refused=reply.refused if replaces_refusal else reply.refused or before.refused,
    )
