"""The page after the sign-up in each state, and those on which a buyer waits."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from itertools import product as all_pairs
from types import SimpleNamespace
from typing import Any

from app.aws.get_entitlements import AwsEntitlement
from app.config.products import Product
from app.services.purchases.purchase import Pending
from app.views import welcome
from sandbox.gallery import answers
from sandbox.gallery.page_state import PageState, Values
from sandbox.gallery.values import ENTRY_ID, NOW, visit

WELCOME, WAITING = "Welcome", "Waiting"
STATUSES = ("pending", "active", "ending", "ended", "failed")
REFUSED = ("not_found", "not_allowed", "already_linked", "confirmation_needed", "other")
ENDS = {"ends later": NOW + timedelta(days=9), "end is past": NOW - timedelta(hours=1), "no end": None}
SEATS = AwsEntitlement("seats", 1500, NOW + timedelta(days=365))
OLD_SEATS = AwsEntitlement("seats", None, NOW - timedelta(days=1))
ENTITLEMENTS = [SEATS, AwsEntitlement("gold", True, None), AwsEntitlement("tier", False, None), OLD_SEATS]
# What AWS has said that the contract covers: the list, when it was read, and whether it could be read.
COVERAGES: dict[str, tuple[list[AwsEntitlement], datetime | None, bool]] = {
    "contract not read yet": ([], None, True),
    "contract is empty": ([], NOW, False),
    "contract": (ENTITLEMENTS, NOW, False),
    "contract is over": ([OLD_SEATS], NOW, False),
}


LONG_NOTE = "\n".join("line" for _ in range(14))


@dataclass(frozen=True, kw_only=True)
class WelcomeValues:
    """A state of the purchase, its account and its contract."""

    status: str
    account: str
    ends_at: datetime | None = None
    refused: str | None = None
    coverage: tuple[list[AwsEntitlement], datetime | None, bool] | None = None
    is_trial: bool = False
    in_full: bool = True
    is_by_link: bool = False
    has_long_note: bool = False

    def __call__(self, product: Product) -> Values:
        """Return the values of the page for the product."""
        values = visit(product)
        values["registration"].answers = answers.stored_answers(product)
        if self.has_long_note:
            values["registration"].notes = LONG_NOTE
        account = SimpleNamespace(reference="juniper-7f3k", refused=self.refused)
        is_ending = self.status == "ending"
        return values | {
            "stage": SimpleNamespace(account=account, has_account=True, state=self.account),
            "subscription": SimpleNamespace(status=self.status, status_since=NOW, ends_at=self.ends_at),
            "coverage": welcome.Coverage(*self.coverage, NOW, is_ending) if self.coverage else None,
            "now": NOW,
            "is_trial": self.is_trial,
            "in_full": self.in_full,
            "is_by_link": self.is_by_link,
            "progress_link": "/progress/x",
            "refreshes": self.ends_at is None,
        }


def welcome_states() -> Iterator[PageState]:
    """Yield the page after the sign-up in each state of the purchase, the account and the contract."""
    for status, state, ends, is_trial, in_full in all_pairs(
        STATUSES, ("ready", "none"), ENDS, (False, True), (True, False)
    ):
        account = "account ready" if state == "ready" else "no account"
        name = f"{status}, {account}, {ends}{', trial' if is_trial else ''}"
        yield _state(name, status=status, account=state, ends_at=ENDS[ends], is_trial=is_trial, in_full=in_full)
    for state, in_full in all_pairs(("waiting", "failed"), (True, False)):
        yield _state(f"ending, account {state}", status="ending", account=state, in_full=in_full)
    for refused, in_full, by_link in all_pairs(REFUSED, (True, False), (False, True)):
        name = f"account refused: {refused.replace('_', ' ')}{', by its link' if by_link else ''}"
        yield _state(name, status="active", account="refused", refused=refused, in_full=in_full, is_by_link=by_link)
    yield _state("active, long note", status="active", account="none", in_full=True, has_long_note=True)
    for covered, status, account, in_full in all_pairs(
        COVERAGES, ("active", "ending"), ("ready", "none"), (True, False)
    ):
        ends_at = ENDS["ends later"]
        yield _state(
            f"{status}, {covered}{', no account' * (account == 'none')}",
            status=status,
            account=account,
            ends_at=ends_at,
            coverage=COVERAGES[covered],
            in_full=in_full,
        )


def _state(name: str, **values: Any) -> PageState:
    is_in_full = values["in_full"]
    return PageState(
        WELCOME,
        name if is_in_full else f"{name}, for a colleague",
        "welcome.html",
        WelcomeValues(**values),
        path="/welcome" if is_in_full else "/welcome?still",
        needs_handoffs=values["account"] != "none",
    )


def waiting_states() -> Iterator[PageState]:
    """Yield the pages on which a buyer waits for the account or for AWS."""
    for is_ready, is_entering, query in all_pairs((True, False), (True, False), ("", "?still")):
        name = f"account {'ready' if is_ready else 'being set up'}{', on the way into the product' * is_entering}"
        values = {"is_ready": is_ready, "is_entering": is_entering, "progress_link": "/progress/x", "in_full": True}
        yield PageState(
            WAITING,
            f"{name}{', refresh paused' if query else ''}",
            "setting_up.html",
            partial(_waiting, values),
            path=f"/welcome{query}",
            needs_handoffs=True,
        )
    pending = {"AWS is asked": (True, None), "unknown product": (False, "UnknownProduct")}
    for name, (is_pending, fault) in {**pending, "expired": (False, "ExpiredToken")}.items():
        values = {"is_pending": is_pending, "fault": fault, "refreshes": True, "in_full": True}
        yield PageState(
            WAITING, f"pending purchase: {name}", "pending_purchase.html", partial(_pending, values), path="/welcome"
        )


def _waiting(values: dict[str, Any], product: Product) -> Values:
    return visit(product) | values


def _pending(values: dict[str, Any], product: Product) -> Values:
    return visit(product, Pending(id=ENTRY_ID, offer_type=None)) | values
