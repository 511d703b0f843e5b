"""The storefront's inbox: what the app has mailed, as pages and as JSON."""

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
def letters() -> str:
    """Show every letter, the latest first."""
    return render_template("inbox.html", letters=current_inbox().mails)


@blueprint.get("/inbox/<int:number>")
def letter(number: int) -> str:
    """Show one letter, as text and as HTML."""
    return render_template("letter.html", letter=current_inbox().get_mail(number))


@blueprint.post("/inbox/<int:number>/bounce")
def bounce(number: int) -> ResponseReturnValue:
    """Let a letter bounce."""
    _bounce_mail(number)
    return redirect(url_for("inbox.letter", number=number), 303)


@blueprint.get("/api/inbox")
def listed() -> ResponseReturnValue:
    """List the letters, the latest first."""
    return [letter.model_dump(mode="json") for letter in current_inbox().mails]


@blueprint.get("/api/inbox/<int:number>")
def shown(number: int) -> ResponseReturnValue:
    """Show one letter."""
    return current_inbox().get_mail(number).model_dump(mode="json")


@blueprint.post("/api/inbox/<int:number>/bounce")
def bounced(number: int) -> ResponseReturnValue:
    """Let a letter bounce, and show what the seller is told."""
    return _bounce_mail(number), 201


def _bounce_mail(number: int) -> dict[str, object]:
    event = current_inbox().bounce(number)
    current_marketplace().queue.put(new_message(), json.dumps(event))
    return event
