"""The redirect into the product, and the progress page that opens in any browser."""

from flask import Blueprint, redirect, request, url_for
from werkzeug import Response
from werkzeug.exceptions import NotFound

from app.config import products
from app.models.purchases import FINAL_STATUSES
from app.observability import logs
from app.services.purchases import subscriptions
from app.services.signup import progress, resolve
from app.views import browser_session, welcome

blueprint = Blueprint("entry", __name__)


@blueprint.get("/enter")
def enter() -> Response:
    """Redirect the browser that registered into the product, once the account is ready and until the purchase ends."""
    visit, registration = welcome.visit_and_registration()
    if registration is None or visit.product is None or not browser_session.submitted_here(registration):
        return redirect(url_for("welcome.welcome"), 303)
    stage = progress.account_progress(registration, visit.product)
    subscription = subscriptions.find(registration.subscription_id) if stage.state == "ready" else None
    if subscription is None or subscription.status in FINAL_STATUSES:
        return redirect(url_for("welcome.welcome"), 303)
    browser_session.mark_entered()
    progress.try_record_entry(registration.id, registration.subscription_id)
    logs.set_outcome("entered", registration=str(registration.id))
    return redirect(progress.url_for_buyer(visit.product, registration, stage.account), 303)


@blueprint.get("/progress/<link>")
def show(link: str) -> Response:
    """Show the progress of a registration to any browser with its link. The link gives no access to the product."""
    registration = progress.registration_from_link(link)
    subscription = subscriptions.find(registration.subscription_id) if registration else None
    if registration is None or subscription is None:
        raise NotFound
    product = products.current()[subscription.product_code]
    visit = browser_session.Visit(resolve.from_subscription(subscription), product)
    return welcome.render_purchase(visit, registration, subscription, request.path)
