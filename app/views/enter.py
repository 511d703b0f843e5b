"""The redirect into the product, and the progress page that opens in any browser."""

from flask import Blueprint, redirect, request, url_for
from werkzeug import Response
from werkzeug.exceptions import NotFound

from app.config import products
from app.models import Registration
from app.observability import logs
from app.services.purchases import subscriptions
from app.services.purchases.purchase import Purchase, Resolved
from app.services.purchases.status import FINAL_STATUSES
from app.services.signup import progress, resolve
from app.views import browser_session, welcome
from app.views.browser_session import Visit

blueprint = Blueprint("entry", __name__)


@blueprint.get("/enter")
def enter() -> Response:
    """Redirect the browser that registered into the product, and any other to the welcome page."""
    visit, registration = welcome.visit_and_registration()
    if registration is None or visit.product is None or not browser_session.submitted_here(registration):
        return redirect(url_for("welcome.welcome"), 303)
    stage = progress.account_progress(registration, visit.product.code)
    if stage.state != "ready" or has_no_access(visit.purchase):
        return redirect(url_for("welcome.welcome"), 303)
    browser_session.mark_entered()
    logs.set_outcome("entered", registration=str(registration.id))
    return redirect(progress.url_for_buyer(visit.product, registration, stage.account), 303)


def has_no_access(purchase: Purchase) -> bool:
    """Return whether the subscription has ended or failed, or AWS has not resolved the purchase yet."""
    subscription_id = purchase.subscription_id if isinstance(purchase, Resolved) else None
    subscription = subscriptions.find(subscription_id) if subscription_id else None
    return subscription is None or subscription.status in FINAL_STATUSES


@blueprint.get("/progress/<link>")
def show(link: str) -> Response:
    """Show the progress of a registration to any browser with its link. The link gives no access to the product."""
    registration = progress.registration_from_link(link)
    if registration is None or registration.subscription_id is None:
        raise NotFound
    purchase = purchase_or_404(registration)
    product = products.current()[purchase.landing.customer.product_code]
    return welcome.render_purchase(Visit(purchase, product), purchase, registration, request.path)


def purchase_or_404(registration: Registration) -> Resolved:
    """Return the purchase of a registration.

    Raises:
        NotFound: its subscription is not stored.
    """
    subscription = subscriptions.find(registration.subscription_id) if registration.subscription_id else None
    if subscription is None:
        raise NotFound
    return resolve.from_subscription(subscription)
