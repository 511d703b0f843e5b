"""The page after the sign-up: the registration, the subscription's status, and the link into the product."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from flask import Blueprint, g, make_response, redirect, render_template, url_for
from sqlalchemy import Row
from werkzeug import Response

from app.aws.get_entitlements import AwsEntitlement
from app.database import clock
from app.models.purchases import FINAL_STATUSES
from app.security import headers
from app.services.purchases import entitlements
from app.services.purchases.purchase import Pending
from app.services.signup import pending_tokens, progress, resolve
from app.services.signup.progress import AccountProgress, RegisteredPurchase
from app.views import browser_session, template_helpers
from app.views.browser_session import Visit

blueprint = Blueprint("welcome", __name__)

# Seconds between refreshes, by how long the buyer has waited. The last refresh comes before the session ends, so that
# a tab left open still shows the registration.
RefreshSchedule = tuple[tuple[timedelta, int], ...]
REFRESH_SCHEDULE: RefreshSchedule = ((timedelta(minutes=10), 5), (timedelta(hours=headers.SESSION_HOURS - 1), 60))
# For so long after the form the page shows nothing but the account's set-up; then it says that it takes longer than
# usual, and what happens next.
USUAL_SETUP_TIME = timedelta(minutes=2)
# Most accounts are ready within a second: the first refreshes come soon.
SETUP_REFRESH_SCHEDULE: RefreshSchedule = ((timedelta(seconds=2), 1), (timedelta(seconds=20), 2), (timedelta.max, 5))
ENTER_DELAY_SECONDS = 1


@dataclass(frozen=True)
class Coverage:
    """The entitlements of a contract at `now`, as stored when AWS was last read.

    `is_ending`: the contract was cancelled, and covers nothing after `ends_at`; None where AWS has named no time.
    """

    entitlements: list[AwsEntitlement]
    read_at: datetime | None
    is_read_scheduled: bool
    now: datetime
    is_ending: bool = False
    ends_at: datetime | None = None

    @property
    def has_current(self) -> bool:
        """Whether any entitlement has not expired."""
        return any(not entitlement.expired(self.now) for entitlement in self.entitlements)

    @property
    def is_read_pending(self) -> bool:
        """Whether a read is to come and nothing current can be shown meanwhile."""
        return not self.has_current and (self.is_read_scheduled or self.read_at is None)

    @property
    def has_expired(self) -> bool:
        """Whether every entitlement has expired and no read is to come."""
        return bool(self.entitlements) and not self.has_current and not self.is_read_pending

    def last_day(self, entitlement: AwsEntitlement) -> datetime | None:
        """Return until when the entitlement can be used, in a cancelled contract not after its end; None: unknown."""
        if self.ends_with_contract(entitlement):
            return self.ends_at and min(self.ends_at, entitlement.expires_at or self.ends_at)
        return entitlement.expires_at

    def ends_with_contract(self, entitlement: AwsEntitlement) -> bool:
        """Return whether the entitlement ends with a cancelled contract."""
        return self.is_ending and not entitlement.expired(self.now)


@blueprint.get("/welcome")
def welcome() -> Response:
    """Show the registered buyer's progress, or redirect to the form."""
    visit, registered = visit_and_registered()
    if registered is None:
        return redirect(url_for("signup.show"), 303)
    if isinstance(visit.purchase, Pending):
        return render_pending(visit, visit.purchase, registered.registration)
    if registered.subscription and not browser_session.is_invited():
        g.has_colleagues = registered.subscription.has_colleagues
    return render_purchase(visit, registered)


def visit_and_registered() -> tuple[Visit, RegisteredPurchase | None]:
    """Return what this browser came with and registered for, following a merge into another subscription."""
    visit = browser_session.current()
    registered = progress.find(visit.purchase)
    purchase = visit.purchase if registered else resolve.follow_merge(visit.purchase)
    if purchase == visit.purchase:
        return visit, registered
    browser_session.start(purchase)
    return replace(visit, purchase=purchase), progress.find(purchase)


def render_purchase(visit: Visit, registered: RegisteredPurchase, progress_link: str | None = None) -> Response:
    """Return the page of a resolved purchase. It refreshes itself while more is to come.

    `progress_link` is the path that was opened, in a browser that need not be the buyer's.
    """
    registration, subscription, stage = registered.registration, registered.subscription, registered.progress
    now, is_by_link = clock.now(), progress_link is not None
    progress_link = progress_link or progress.LINK.path_for(registration.id)
    if not (subscription and subscription.status in FINAL_STATUSES) and is_being_set_up(registration, stage, now):
        return render_setting_up(visit, registration, stage, progress_link, now)
    coverage = load_coverage(subscription, now) if subscription else None
    refresh = scheduled_refresh(waiting_since(registration.created_at, subscription, coverage, stage), now)
    values: dict[str, object] = {"subscription": subscription, "coverage": coverage, "stage": stage, "now": now}
    values |= {"progress_link": progress_link, "is_by_link": is_by_link, "is_trial": is_free_trial(subscription, visit)}
    return render("welcome.html", visit, registration, refresh, **values)


def is_being_set_up(registration: Row[Any], stage: AccountProgress, now: datetime) -> bool:
    """Return whether to show the account's set-up: requested moments ago, or ready and not entered yet."""
    if stage.state == "ready":
        return browser_session.is_entry_pending(registration)
    return stage.state == "waiting" and stage.requested_at is not None and now - stage.requested_at < USUAL_SETUP_TIME


def render_setting_up(
    visit: Visit, registration: Row[Any], stage: AccountProgress, progress_link: str, now: datetime
) -> Response:
    """Return the page on which a buyer waits for their account; it enters the product once the account is ready.

    It does so by a Refresh header, not a redirect: `form-action` in our Content-Security-Policy also applies to
    redirects that follow a form.
    """
    is_ready, is_entering = stage.state == "ready", browser_session.is_entry_pending(registration)
    refresh = scheduled_refresh(stage.requested_at, now, SETUP_REFRESH_SCHEDULE)
    if is_ready:
        enters = not template_helpers.is_refresh_paused()
        refresh = f"{ENTER_DELAY_SECONDS}; url={url_for('entry.enter')}" if enters else None
    values = {"is_ready": is_ready, "is_entering": is_entering, "progress_link": progress_link}
    return render("setting_up.html", visit, registration, refresh, **values)


def render_pending(visit: Visit, purchase: Pending, registration: Row[Any]) -> Response:
    """Return the page of a pending token. It refreshes itself until the token is settled."""
    token = pending_tokens.find(purchase.id)
    is_pending = token is not None and token.settled_at is None
    refresh = scheduled_refresh(registration.created_at if is_pending else None, clock.now())
    fault = token.fault if token else None
    return render("pending_purchase.html", visit, registration, refresh, is_pending=is_pending, fault=fault)


def render(template: str, visit: Visit, registration: Row[Any], refresh: str | None, **values: object) -> Response:
    """Return the page of a registration, with the Refresh header given: the browser reloads it without JavaScript."""
    values |= {"visit": visit, "product": visit.product, "registration": registration, "refreshes": refresh is not None}
    page = render_template(template, in_full=browser_session.submitted_here(registration), **values)
    return make_response(page, {"Refresh": refresh} if refresh else {})


def load_coverage(subscription: Row[Any], now: datetime) -> Coverage | None:
    """Return the contract's entitlements; None for a product that is paid by usage alone."""
    if not entitlements.exist_for(subscription.product_code):
        return None
    return Coverage(
        entitlements.load_stored(subscription),
        subscription.entitlements_read_at,
        is_read_scheduled=subscription.review_at is not None,
        now=now,
        is_ending=subscription.status == "ending",
        ends_at=subscription.ends_at,
    )


def is_free_trial(subscription: Row[Any] | None, visit: Visit) -> bool:
    """Return whether this is a free trial: by AWS's events or, without one, by the browser's unsigned field."""
    if subscription and subscription.free_trial is not None:
        return bool(subscription.free_trial)
    return "free-trial" in {visit.offer_type, subscription and subscription.offer_type}


def waiting_since(
    registered_at: datetime, subscription: Row[Any] | None, coverage: Coverage | None, stage: AccountProgress
) -> datetime | None:
    """Return since when the buyer has waited for news on this page; None where no more is to come."""
    status = subscription.status if subscription else "pending"
    if status in FINAL_STATUSES:
        return None
    if stage.state == "waiting":
        return stage.requested_at
    if status == "pending":
        return registered_at
    if subscription and status == "active" and coverage and coverage.is_read_pending:
        latest: datetime = max(filter(None, (registered_at, subscription.status_since, subscription.last_seen_at)))
        return latest
    return None


def scheduled_refresh(
    since: datetime | None, now: datetime, schedule: RefreshSchedule = REFRESH_SCHEDULE
) -> str | None:
    """Return the Refresh header for a buyer who has waited so long; None if never, or if the buyer turned it off."""
    if template_helpers.is_refresh_paused():
        return None
    seconds = next((seconds for until, seconds in schedule if since and now - since < until), None)
    return template_helpers.refresh_header(seconds) if seconds else None
