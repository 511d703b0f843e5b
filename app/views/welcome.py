"""The page after the sign-up: what was registered, where the subscription stands, and the way into the product."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from flask import Blueprint, make_response, redirect, render_template, url_for
from werkzeug import Response

from app.models import Registration, Subscription
from app.security import headers
from app.services.purchases import entitlements, subscriptions
from app.services.purchases.entitlements import StoredEntitlement
from app.services.purchases.purchase import Pending, Resolved
from app.services.purchases.status import FINAL_STATUSES
from app.services.signup import pending_tokens, progress, registrations, resolve
from app.services.signup.progress import AccountProgress
from app.views import browser_session, template_helpers
from app.views.browser_session import Visit

blueprint = Blueprint("welcome", __name__)

# How often the page looks again, by how long its buyer has waited. After that a tab left open asks no more: a little
# before its session ends, so that it still says what was registered.
RefreshSchedule = tuple[tuple[timedelta, int], ...]
REFRESH_SCHEDULE: RefreshSchedule = ((timedelta(minutes=10), 5), (timedelta(hours=headers.SESSION_HOURS - 1), 60))
# A buyer who has just sent the form waits for their account before anything else is told; after that it takes longer
# than usual, and they are told what happens next.
USUAL_SETUP_TIME = timedelta(minutes=2)
SETUP_REFRESH_SCHEDULE: RefreshSchedule = ((timedelta(seconds=20), 2), (timedelta.max, 5))
ENTER_DELAY_SECONDS = 1


@dataclass(frozen=True)
class Coverage:
    """What a contract's buyer is entitled to at that moment, as far as AWS has told."""

    entitlements: list[StoredEntitlement]
    read_at: datetime | None
    is_read_scheduled: bool
    now: datetime

    @property
    def has_current(self) -> bool:
        """Whether anything of it has not expired."""
        return any(not held.expired(self.now) for held in self.entitlements)

    @property
    def is_read_pending(self) -> bool:
        """Whether AWS is still to be asked; what holds already is told meanwhile."""
        return not self.has_current and (self.is_read_scheduled or self.read_at is None)

    @property
    def has_expired(self) -> bool:
        """Whether everything has expired, as far as anybody knows."""
        return bool(self.entitlements) and not self.has_current and not self.is_read_pending


@blueprint.get("/welcome")
def welcome() -> Response:
    """Show a customer who has signed up where they stand."""
    here, registration = visit_and_registration()
    if registration is None:
        return redirect(url_for("signup.show"), 303)
    if isinstance(here.purchase, Pending):
        return render_pending(here, here.purchase, registration)
    return render_purchase(here, here.purchase, registration)


def visit_and_registration() -> tuple[Visit, Registration | None]:
    """Return this browser's purchase and its registration, also where they have become another subscription's."""
    here = browser_session.current()
    registration = registrations.find_by_purchase(here.purchase)
    found = here.purchase if registration else resolve.follow_merge(here.purchase)
    if found == here.purchase:
        return here, registration
    browser_session.start(found)
    return replace(here, purchase=found), registrations.find_by_purchase(found)


def render_purchase(
    visit: Visit, purchase: Resolved, registration: Registration, progress_link: str | None = None
) -> Response:
    """Return the page of a purchase that AWS has told us about; it looks again by itself while more is to come.

    `link` is the one that led here, in a browser that need not be the buyer's.
    """
    now = datetime.now(UTC)
    subscription = subscriptions.find(purchase.subscription_id) if purchase.subscription_id else None
    stage = progress.account_progress(registration, purchase.landing.customer.product_code)
    if not (subscription and subscription.status in FINAL_STATUSES) and is_being_set_up(registration, stage, now):
        return render_setting_up(visit, registration, stage, progress_link)
    cover = load_coverage(subscription, now) if subscription else None
    pause = refresh_seconds(waiting_since(registration, subscription, cover, stage), now)
    page = render_template(
        "welcome.html",
        visit=visit,
        product=visit.product,
        registration=registration,
        subscription=subscription,
        cover=cover,
        is_trial=is_free_trial(subscription, visit),
        in_full=browser_session.submitted_here(registration),
        stage=stage,
        link=progress_link or progress.path_for(registration.id),
        by_link=progress_link is not None,
        pause=pause,
        now=now,
    )
    return with_refresh(page, pause)


def is_being_set_up(registration: Registration, stage: AccountProgress, now: datetime) -> bool:
    """Return whether the buyer waits for the account itself: it may be there any moment, or is there to be entered."""
    if stage.state == "ready":
        return browser_session.enter_pending(registration)
    return stage.state == "waiting" and stage.requested_at is not None and now - stage.requested_at < USUAL_SETUP_TIME


def render_setting_up(
    visit: Visit, registration: Registration, stage: AccountProgress, progress_link: str | None
) -> Response:
    """Return the page on which a buyer waits for their account; once it is there, the browser goes in by itself.

    It goes by way of this page: browsers hold redirects that follow a form to the form's own rules.
    """
    is_ready = stage.state == "ready"
    page = render_template(
        "setting_up.html",
        visit=visit,
        product=visit.product,
        registration=registration,
        is_ready=is_ready,
        in_full=browser_session.submitted_here(registration),
        is_entering=browser_session.enter_pending(registration),
        link=progress_link or progress.path_for(registration.id),
    )
    if is_ready and not template_helpers.is_refresh_paused():
        return make_response(page, {"Refresh": f"{ENTER_DELAY_SECONDS}; url={url_for('entry.enter')}"})
    since = None if is_ready else stage.requested_at
    return with_refresh(page, refresh_seconds(since, datetime.now(UTC), SETUP_REFRESH_SCHEDULE))


def render_pending(visit: Visit, purchase: Pending, registration: Registration) -> Response:
    """Return the page of a purchase that AWS has not told us about; it looks again by itself while there is hope."""
    token = pending_tokens.find(purchase.id)
    waits = token is not None and token.settled_at is None
    pause = refresh_seconds(registration.created_at if waits else None, datetime.now(UTC))
    page = render_template(
        "unlinked.html",
        visit=visit,
        product=visit.product,
        registration=registration,
        in_full=browser_session.submitted_here(registration),
        waits=waits,
        pause=pause,
        fault=token.fault if token else None,
    )
    return with_refresh(page, pause)


def load_coverage(subscription: Subscription, now: datetime) -> Coverage | None:
    """Return what the subscription's contract covers; None where usage alone is paid for."""
    if not entitlements.exist_for(subscription.product_code):
        return None
    is_due = subscription.review_at is not None
    return Coverage(entitlements.load_stored(subscription), subscription.entitlements_read_at, is_due, now)


def is_free_trial(subscription: Subscription | None, visit: Visit) -> bool:
    """Return whether this is a free trial: as AWS's events say or, where they do not, as the browser said."""
    if subscription and subscription.free_trial is not None:
        return subscription.free_trial
    return "free-trial" in {visit.offer_type, subscription and subscription.offer_type}


def waiting_since(
    registration: Registration, subscription: Subscription | None, coverage: Coverage | None, stage: AccountProgress
) -> datetime | None:
    """Return since when the buyer has waited for something that this page would show; None where nothing is to come."""
    if subscription and subscription.status in FINAL_STATUSES:
        return None
    if stage.state == "waiting":
        return stage.requested_at
    if subscription is None or subscription.status == "pending":
        return registration.created_at
    if subscription.status != "active" or coverage is None or not coverage.is_read_pending:
        return None
    moments = (registration.created_at, subscription.status_since, subscription.last_seen_at)
    return max(moment for moment in moments if moment)


def refresh_seconds(since: datetime | None, now: datetime, schedule: RefreshSchedule = REFRESH_SCHEDULE) -> int | None:
    """Return after how many seconds the page looks again; None where it does not, or shall not."""
    if template_helpers.is_refresh_paused():
        return None
    return next((seconds for until, seconds in schedule if since and now - since < until), None)


def with_refresh(page: str, seconds: int | None) -> Response:
    """Return the page as one that the browser asks for again by itself, without JavaScript."""
    return make_response(page, {"Refresh": template_helpers.refresh_header(seconds)} if seconds else {})
