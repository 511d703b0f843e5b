"""The redirect into the product, and the progress page that opens in any browser."""

from flask import Blueprint, redirect, request, url_for
from werkzeug import Response
from werkzeug.exceptions import NotFound

from app.models.purchases import FINAL_STATUSES
from app.observability import logs
from app.services.signup import progress, resolve
from app.views import browser_session, welcome

blueprint = Blueprint("entry", __name__)


@blueprint.get("/enter")
def enter() -> Response:
    """Redirect the browser that registered into the product, once the account is ready and until the purchase ends."""
    visit, registered = welcome.visit_and_registered()
    if registered is None or visit.product is None or not browser_session.submitted_here(registered.registration):
        return redirect(url_for("welcome.welcome"), 303)
    registration, subscription, stage = registered.registration, registered.subscription, registered.progress
    if subscription is None or subscription.status in FINAL_STATUSES or stage.state != "ready":
        return redirect(url_for("welcome.welcome"), 303)
    browser_session.mark_entered()
    progress.try_record_entry(registration.id, registration.subscription_id)
    logs.set_outcome("entered", registration=str(registration.id))
    return redirect(progress.url_for_buyer(visit.product, registration, stage.account), 303)


@blueprint.get("/progress/<link>")
def show(link: str) -> Response:
    """Show the progress of a registration to any browser with its link. The link gives no access to the product."""
    registered = progress.find_by_link(link)
    if registered is None or registered.subscription is None:
        raise NotFound
    product = browser_session.product_of_page(registered.subscription.product_code)
    visit = browser_session.Visit(resolve.from_subscription(registered.subscription), product)
    return welcome.render_purchase(visit, registered, request.path)
