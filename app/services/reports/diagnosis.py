"""What is wrong for one customer now, why, and the command that mends it."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from app.config import products
from app.database import clock
from app.database.rows import RowDict
from app.models.purchases import FINAL_STATUSES
from app.services.outbox import announce
from app.services.purchases import entitlements
from app.services.reports.customers import CustomerFile

# AWS reports a purchase within minutes.
MAX_UNCONFIRMED = timedelta(hours=1)
# A worker sends what is due within seconds.
MAX_OVERDUE = timedelta(minutes=2)


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong (`FAIL`), that may be (`warn`) or that explains what one sees (`note`).

    `command` mends it or leads on, without the program's name; empty where no command does.
    """

    level: Literal["FAIL", "warn", "note"]
    text: str
    command: str = ""


def diagnose(file: CustomerFile) -> list[Finding]:
    """Return what is wrong for the customer now, in the order of the sign-up."""
    now = clock.now()
    findings = [*_token(file), *_purchase(file, now), *_handoffs(file, now), *_account(file), *_mails(file, now)]
    return [*findings, *_entitlements(file, now), *_usage(file)]


def explain_unregistered(purchase: RowDict) -> Finding:
    """Return why a subscription has no registration, and what to do."""
    if purchase["registration_erased_at"]:
        return Finding(
            "note",
            'The registration was erased; the purchase stays. If the buyer presses "Set up your account" again, Foyer '
            "asks them to sign up again.",
        )
    if purchase["last_seen_at"]:
        return Finding("warn", "The buyer has not sent the sign-up form yet: there is no registration.")
    if purchase["status"] in FINAL_STATUSES:
        return Finding(
            "note", 'The buyer never pressed "Set up your account", and the purchase is over: nothing to do.'
        )
    return Finding(
        "warn",
        'The buyer has subscribed but has never pressed "Set up your account". AWS gives no e-mail address: write to '
        "your sales team's contact at that AWS account, and ask them to press it, on AWS Marketplace under Manage "
        "subscriptions.",
    )


def _token(file: CustomerFile) -> Iterator[Finding]:
    if file.purchase is not None:
        return
    for token in file.tokens:
        fault = token["fault"] or "no answer yet"
        if token["settled_at"] is None:
            yield Finding(
                "warn",
                f"AWS has not said yet what was bought ({fault}, tries: {token['tries']}). The worker goes on trying.",
                "doctor",
            )
        elif file.registration:
            yield Finding(
                "FAIL",
                f"AWS did not say what was bought ({fault}), and the token was given up. The buyer has to press "
                '"Set up your account" once more: mail them this link, with which the form is filled in.',
                f"registrations resume-link {file.registration['id']}",
            )
        else:
            yield Finding("note", f"The token was given up ({fault}), and nobody registered with it.")


def _purchase(file: CustomerFile, now: datetime) -> Iterator[Finding]:
    purchase = file.purchase
    if purchase is None:
        return
    for event in file.unapplied:
        yield Finding(
            "FAIL",
            f"AWS's event {event['kind']} names this customer and was not applied: {event['outcome']}. If it is about "
            "this purchase, apply it.",
            f"events replay {event['id']} --subscription {purchase['id']}",
        )
    if purchase["registration_id"] is None:
        yield explain_unregistered(purchase)
    if purchase["status"] in FINAL_STATUSES:
        yield Finding("note", f"The purchase is over (status {purchase['status']}): the buyer has no access.")
    elif purchase["status"] == "pending" and not file.unapplied:
        if now - purchase["created_at"] > MAX_UNCONFIRMED:
            yield Finding("warn", "AWS has not reported the purchase as active. Do its events arrive?", "doctor")
        else:
            yield Finding("note", "AWS has not reported the purchase as active yet. It does so within minutes.")


def _handoffs(file: CustomerFile, now: datetime) -> Iterator[Finding]:
    purchase = file.purchase
    if purchase is None or purchase["registration_id"] is None or purchase["status"] in FINAL_STATUSES:
        return
    code = purchase["product_code"]
    if code not in products.current().handoff_endpoints:
        yield Finding("note", "The product takes no hand-offs: you give the buyer access.")
        return
    if not any(handoff["type"] in announce.REGISTRATION_TYPES for handoff in file.handoffs):
        yield Finding("FAIL", "The registration was never handed off.", f"handoffs catch-up --product {code}")
    # Each hand-off has the whole state: one that failed before another was delivered is missed by nobody.
    delivered = max((handoff["sequence"] for handoff in file.handoffs if handoff["outcome"] == "delivered"), default=0)
    for handoff in file.handoffs:
        if handoff["outcome"] == "failed" and handoff["sequence"] > delivered:
            yield Finding(
                "FAIL",
                f"The product never accepted the hand-off {handoff['type']} ({handoff['fault']}).",
                f"handoffs retry {handoff['id']}",
            )
        elif handoff["outcome"] == "waiting" and handoff["next_try_at"]:
            yield from _waiting_handoff(handoff, now)


def _waiting_handoff(handoff: RowDict, now: datetime) -> Iterator[Finding]:
    if now - handoff["next_try_at"] > MAX_OVERDUE:
        yield Finding("FAIL", f"The hand-off {handoff['type']} is not being sent. Does a worker run?", "status")
    # One that is sent again keeps its fault until it is tried.
    elif handoff["fault"] and handoff["tries"]:
        yield Finding(
            "FAIL",
            f"The product has not accepted the hand-off {handoff['type']}: {handoff['fault']}, tries: "
            f"{handoff['tries']}. To try now:",
            f"handoffs retry {handoff['id']}",
        )


def _account(file: CustomerFile) -> Iterator[Finding]:
    purchase = file.purchase
    if purchase and purchase["account_refused"] and purchase["status"] not in FINAL_STATUSES:
        latest = file.handoffs[-1]["id"] if file.handoffs else ""
        yield Finding(
            "FAIL",
            f"The product refused the account that the buyer asked for: {purchase['account_refused']}. Make one, let "
            "the product reply with it, and send the latest hand-off again.",
            f"handoffs retry {latest}" if latest else "",
        )


def _mails(file: CustomerFile, now: datetime) -> Iterator[Finding]:
    for mail in _latest_of_each_type(file.mails):
        command = f"mails retry {mail['id']}"
        if mail["outcome"] == "failed":
            yield Finding("FAIL", f"The mail {mail['type']} was given up ({mail['fault']}).", command)
        elif mail["bounce"]:
            yield Finding(
                "FAIL",
                f"The mail {mail['type']} did not arrive ({mail['bounce']}): the address may be wrong. Once it is "
                "right, send it again.",
                command,
            )
        elif mail["outcome"] == "waiting" and mail["fault"] and mail["tries"]:
            yield Finding("warn", f"The mail {mail['type']} waits for its next try ({mail['fault']}).", command)
        elif mail["outcome"] == "waiting" and now - mail["next_try_at"] > MAX_OVERDUE:
            yield Finding("FAIL", f"The mail {mail['type']} is not being sent. Does a worker run?", "status")


def _latest_of_each_type(messages: Sequence[RowDict]) -> list[RowDict]:
    # A colleague's invitation and the next one's are different mails of one type.
    latest: dict[Any, RowDict] = {}
    for message in messages:
        latest[message["id"] if message["type"] == "colleague_invited" else message["type"]] = message
    return list(latest.values())


def _entitlements(file: CustomerFile, now: datetime) -> Iterator[Finding]:
    purchase = file.purchase
    if purchase is None or purchase["status"] in FINAL_STATUSES or not purchase["entitlements"]:
        return
    stored = entitlements.parse_stored(purchase["entitlements"])
    if all(entitlement.expired(now) for entitlement in stored):
        yield Finding("warn", "Everything that the contract covers has expired, as AWS told last.", "doctor")


def _usage(file: CustomerFile) -> Iterator[Finding]:
    if not file.usage:
        return
    counts = Counter(row["state"] for row in file.usage)
    names = ", ".join(f"{state}: {count}" for state, count in sorted(counts.items()))
    newest = file.usage[0]
    shown = newest["item_id"] if newest["state"] == "held" else newest["id"]
    yield Finding("FAIL", f"Usage is not billed ({names}). What to do with the latest:", f"usage show {shown}")
