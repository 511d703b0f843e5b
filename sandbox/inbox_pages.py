"""The inbox of the storefront: the mails that the app has sent, as pages and as JSON."""

import json

from flask import Blueprint, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from sandbox.events import new_message
from sandbox.inbox import Inbox
from sandbox.pages import current_marketplace

blueprint = Blueprint("inbox", __name__)


def current_inbox() -> Inbox:
    """Return the inbox of the storefront that answers this request."""
    return current_marketplace().inbox


@blueprint.get("/inbox")
def mails() -> str:
    """Show every mail, latest first."""
    return render_template("inbox.html", mails=current_inbox().mails)


@blueprint.get("/inbox/<int:number>")
def mail(number: int) -> str:
    """Show one mail as HTML and as text."""
    return render_template("mail.html", mail=current_inbox().get_mail(number))


@blueprint.post("/inbox/<int:number>/bounce")
def bounce(number: int) -> ResponseReturnValue:
    """Bounce a mail: queue the event with which SES reports it."""
    _bounce_mail(number)
    return redirect(url_for("inbox.mail", number=number), 303)


@blueprint.get("/api/inbox")
def mails_json() -> ResponseReturnValue:
    """List the mails, latest first."""
    return [mail.model_dump(mode="json") for mail in current_inbox().mails]


@blueprint.get("/api/inbox/<int:number>")
def mail_json(number: int) -> ResponseReturnValue:
    """Show one mail."""
    return current_inbox().get_mail(number).model_dump(mode="json")


@blueprint.post("/api/inbox/<int:number>/bounce")
def bounce_json(number: int) -> ResponseReturnValue:
    """Bounce a mail, and return the event that SES sends the seller."""
    return _bounce_mail(number), 201


def _bounce_mail(number: int) -> dict[str, object]:
    event = current_inbox().bounce(number)
    current_marketplace().queue.put(new_message(), json.dumps(event))
    return event
