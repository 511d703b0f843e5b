"""The page after the sign-up: what was registered, where the subscription stands, and the way into the product."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from flask import Blueprint, make_response, redirect, render_template, url_for
from werkzeug import Response

from app.models import Registration, Subscription
from app.security import headers
from app.services.purchases import entitlements, subscriptions
from app.services.purchases.entitlements import Held
from app.services.purchases.purchase import Arrived, Parked
from app.services.purchases.status import FINAL
from app.services.signup import pending_tokens, progress, registrations, resolve
from app.services.signup.progress import Progress
from app.views import browser_session, template_helpers
from app.views.browser_session import Visit

blueprint = Blueprint("welcome", __name__)

# How often the page looks again, by how long its buyer has waited. After that a tab left open asks no more: a little
# before its session ends, so that it still says what was registered.
Pauses = tuple[tuple[timedelta, int], ...]
PAUSES: Pauses = ((timedelta(minutes=10), 5), (timedelta(hours=headers.SESSION_HOURS - 1), 60))
# A buyer who has just sent the form waits for their account before anything else is told; after that it takes longer
# than usual, and they are told what happens next.
USUALLY = timedelta(minutes=2)
SET_UP_PAUSES: Pauses = ((timedelta(seconds=20), 2), (timedelta.max, 5))
LET_IN_PAUSE_SECONDS = 1


@dataclass(frozen=True)
class Cover:
    """What a contract's buyer is entitled to at that moment, as far as AWS has told."""

    held: list[Held]
    read_at: datetime | None
    is_due: bool
    at: datetime

    @property
    def holds(self) -> bool:
        """Whether anything of it has not expired."""
        return any(not held.expired(self.at) for held in self.held)

    @property
    def is_being_read(self) -> bool:
        """Whether AWS is still to be asked; what holds already is told meanwhile."""
        return not self.holds and (self.is_due or self.read_at is None)

    @property
    def has_expired(self) -> bool:
        """Whether everything has expired, as far as anybody knows."""
        return bool(self.held) and not self.holds and not self.is_being_read


@blueprint.get("/welcome")
def welcome() -> Response:
    """Show a customer who has signed up where they stand."""
    here, registration = registered()
    if registration is None:
        return redirect(url_for("signup.show"), 303)
    if isinstance(here.purchase, Parked):
        return unlinked(here, here.purchase, registration)
    return linked(here, here.purchase, registration)


def registered() -> tuple[Visit, Registration | None]:
    """Return this browser's purchase and its registration, also where they have become another subscription's."""
    here = browser_session.current()
    registration = registrations.of_purchase(here.purchase)
    found = here.purchase if registration else resolve.found_again(here.purchase)
    if found == here.purchase:
        return here, registration
    browser_session.begin(found)
    return replace(here, purchase=found), registrations.of_purchase(found)


def linked(here: Visit, purchase: Arrived, registration: Registration, link: str | None = None) -> Response:
    """Return the page of a purchase that AWS has told us about; it looks again by itself while more is to come.

    `link` is the one that led here, in a browser that need not be the buyer's.
    """
    now = datetime.now(UTC)
    subscription = subscriptions.find(purchase.subscription_id) if purchase.subscription_id else None
    stage = progress.of(registration, purchase.arrival.customer.product_code)
    if not (subscription and subscription.status in FINAL) and is_set_up_now(registration, stage, now):
        return setting_up(here, registration, stage, link)
    cover = cover_of(subscription, now) if subscription else None
    pause = pause_seconds(waits_since(registration, subscription, cover, stage), now)
    page = render_template(
        "welcome.html",
        visit=here,
        product=here.product,
        registration=registration,
        subscription=subscription,
        cover=cover,
        is_trial=is_trial(subscription, here),
        in_full=browser_session.has_sent(registration),
        stage=stage,
        link=link or progress.link(registration.id),
        by_link=link is not None,
        pause=pause,
        now=now,
    )
    return looking_again(page, pause)


def is_set_up_now(registration: Registration, stage: Progress, now: datetime) -> bool:
    """Return whether the buyer waits for the account itself: it may be there any moment, or is there to be entered."""
    if stage.state == "ready":
        return browser_session.is_entering(registration)
    return stage.state == "waiting" and stage.since is not None and now - stage.since < USUALLY


def setting_up(here: Visit, registration: Registration, stage: Progress, link: str | None) -> Response:
    """Return the page on which a buyer waits for their account; once it is there, the browser goes in by itself.

    It goes by way of this page: browsers hold redirects that follow a form to the form's own rules.
    """
    is_ready = stage.state == "ready"
    page = render_template(
        "setting_up.html",
        visit=here,
        product=here.product,
        registration=registration,
        is_ready=is_ready,
        in_full=browser_session.has_sent(registration),
        is_entering=browser_session.is_entering(registration),
        link=link or progress.link(registration.id),
    )
    if is_ready and not template_helpers.is_still():
        return make_response(page, {"Refresh": f"{LET_IN_PAUSE_SECONDS}; url={url_for('entry.enter')}"})
    since = None if is_ready else stage.since
    return looking_again(page, pause_seconds(since, datetime.now(UTC), SET_UP_PAUSES))


def unlinked(here: Visit, purchase: Parked, registration: Registration) -> Response:
    """Return the page of a purchase that AWS has not told us about; it looks again by itself while there is hope."""
    token = pending_tokens.find(purchase.id)
    waits = token is not None and token.settled_at is None
    pause = pause_seconds(registration.created_at if waits else None, datetime.now(UTC))
    page = render_template(
        "unlinked.html",
        visit=here,
        product=here.product,
        registration=registration,
        in_full=browser_session.has_sent(registration),
        waits=waits,
        pause=pause,
        fault=token.fault if token else None,
    )
    return looking_again(page, pause)


def cover_of(subscription: Subscription, now: datetime) -> Cover | None:
    """Return what the subscription's contract covers; None where usage alone is paid for."""
    if not entitlements.are_held(subscription.product_code):
        return None
    is_due = subscription.review_at is not None
    return Cover(entitlements.of(subscription), subscription.entitlements_read_at, is_due, now)


def is_trial(subscription: Subscription | None, here: Visit) -> bool:
    """Return whether this is a free trial: as AWS's events say or, where they do not, as the browser said."""
    if subscription and subscription.free_trial is not None:
        return subscription.free_trial
    return "free-trial" in {here.offer_type, subscription and subscription.offer_type}


def waits_since(
    registration: Registration, subscription: Subscription | None, cover: Cover | None, stage: Progress
) -> datetime | None:
    """Return since when the buyer has waited for something that this page would show; None where nothing is to come."""
    if subscription and subscription.status in FINAL:
        return None
    if stage.state == "waiting":
        return stage.since
    if subscription is None or subscription.status == "pending":
        return registration.created_at
    if subscription.status != "active" or cover is None or not cover.is_being_read:
        return None
    moments = (registration.created_at, subscription.status_since, subscription.last_seen_at)
    return max(moment for moment in moments if moment)


def pause_seconds(since: datetime | None, now: datetime, pauses: Pauses = PAUSES) -> int | None:
    """Return after how many seconds the page looks again; None where it does not, or shall not."""
    if template_helpers.is_still():
        return None
    return next((seconds for until, seconds in pauses if since and now - since < until), None)


def looking_again(page: str, pause: int | None) -> Response:
    """Return the page as one that the browser asks for again by itself, without JavaScript."""
    return make_response(page, {"Refresh": template_helpers.refresh(pause)} if pause else {})
