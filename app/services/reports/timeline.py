"""What happened to one customer, in time's order: purchase, events, registration, hand-offs, mails and invitations."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from app.database.rows import RowDict
from app.services.reports.customers import CustomerFile
from app.services.signup import progress

ACTIONS = {
    "registration.completed": "registered",
    "registration.updated": "the answers were changed",
    "registration.erased": "the registration was erased",
    "invitation.sent": "a colleague was invited",
    "invitation.accepted": "the invitation was accepted",
    "invitation.revoked": "the invitation was revoked",
    progress.ENTERED: "entered the product",
    "usage.written_off": "usage was written off",
    "usage.billed_later": "held usage was put into a later hour",
}


@dataclass(frozen=True)
class Entry:
    """One thing that happened: when, of which kind, in words, and the id of its row, if it has one."""

    at: datetime
    kind: str
    text: str
    id: UUID | None = None


def build(file: CustomerFile) -> list[Entry]:
    """Return all that happened, the oldest first."""
    entries = [
        *_landings(file),
        *_events(file),
        *_audit(file),
        *_handoffs(file),
        *_mails(file),
        *_typed(file),
        *_usage(file),
    ]
    return sorted(entries, key=lambda entry: entry.at)


def _landings(file: CustomerFile) -> Iterator[Entry]:
    if purchase := file.purchase:
        yield Entry(purchase["created_at"], "purchase", "seen for the first time", purchase["id"])
        if purchase["last_seen_at"]:
            yield Entry(purchase["last_seen_at"], "landing", "the buyer came from AWS Marketplace, last at this time")
    for token in file.tokens:
        yield Entry(token["parked_at"], "landing", "the buyer came while AWS gave no answer", token["id"])
        if token["settled_at"]:
            end = "AWS resolved the token" if token["subscription_id"] else f"the token was given up: {token['fault']}"
            yield Entry(token["settled_at"], "token", end, token["id"])


def _events(file: CustomerFile) -> Iterator[Entry]:
    for event in (*file.events, *file.unapplied):
        # "Purchase Agreement Created - Manufacturer": the recipient's role says nothing new.
        kind, _, _ = event["kind"].partition(" - ")
        status = f": {event['status_after']}" if event["status_after"] else ""
        yield Entry(event["happened_at"], "event", f"{kind} ({event['outcome']}{status})", event["id"])


def _audit(file: CustomerFile) -> Iterator[Entry]:
    for entry in file.audit:
        text = ACTIONS.get(entry["action"], entry["action"])
        # The buyer does most of it: only others are named.
        by = "" if entry["actor"] == "buyer" else f" by {entry['actor']}"
        kind = entry["action"].partition(".")[0]
        yield Entry(entry["at"], kind, f"{text}{by}", entry["registration_id"])


def _handoffs(file: CustomerFile) -> Iterator[Entry]:
    for handoff in file.handoffs:
        yield Entry(handoff["settled_at"] or handoff["created_at"], "hand-off", _describe(handoff), handoff["id"])
    purchase = file.purchase
    if purchase and purchase["account_answered_at"]:
        refused, name = purchase["account_refused"], purchase["account_reference"] or purchase["account_url"]
        reply = f"refused: {refused}" if refused else f"made the account {name}" if name else "made the account"
        yield Entry(purchase["account_answered_at"], "reply", f"the product {reply}")


def _mails(file: CustomerFile) -> Iterator[Entry]:
    for mail in file.mails:
        yield Entry(mail["settled_at"] or mail["created_at"], "mail", _describe(mail), mail["id"])
        if mail["bounced_at"]:
            yield Entry(mail["bounced_at"], "bounce", f"{mail['type']}: {mail['bounce']}", mail["id"])


def _usage(file: CustomerFile) -> Iterator[Entry]:
    for row in file.usage:
        if row["state"] == "held":
            text = f"{row['quantity']} of {row['dimension']} are held, as the item {row['item_id']}"
            yield Entry(row["received_at"], "usage", text, row["id"])
        else:
            reason = f" ({row['code']})" if row["code"] else ""
            text = f"{row['quantity']} of {row['dimension']}, hour {row['hour']:%Y-%m-%d %H:%M}: {row['state']}{reason}"
            yield Entry(row["settled_at"] or row["hour"], "usage", text, row["id"])


def _describe(message: RowDict) -> str:
    parts = [f"tries: {message['tries']}" if message["tries"] > 1 else "", message["fault"] or ""]
    detail = ", ".join(part for part in parts if part)
    return f"{message['type']} {message['outcome']}{f' ({detail})' if detail else ''}"


def _typed(file: CustomerFile) -> Iterator[Entry]:
    for draft in file.drafts:
        yield Entry(draft["stored_at"], "draft", "typed answers that were not sent", draft["id"])
    for invitation in file.invitations:
        if invitation["state"] == "expired":
            yield Entry(invitation["expires_at"], "invitation", "the invitation expired", invitation["id"])
