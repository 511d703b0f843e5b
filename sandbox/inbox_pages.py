"""The storefront's inbox: what the app has mailed, as pages and as JSON."""

import json

from flask import Blueprint, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from sandbox.events import new_copy
from sandbox.inbox import Inbox
from sandbox.pages import world

inbox_pages = Blueprint("inbox", __name__)


def inbox() -> Inbox:
    """Return the inbox of the storefront that answers this request."""
    return world().inbox


@inbox_pages.get("/inbox")
def letters() -> str:
    """Show every letter, the latest first."""
    return render_template("inbox.html", letters=inbox().letters)


@inbox_pages.get("/inbox/<int:number>")
def letter(number: int) -> str:
    """Show one letter, as text and as HTML."""
    return render_template("letter.html", letter=inbox().letter(number))


@inbox_pages.post("/inbox/<int:number>/bounce")
def bounce(number: int) -> ResponseReturnValue:
    """Let a letter bounce."""
    _bounce(number)
    return redirect(url_for("inbox.letter", number=number), 303)


@inbox_pages.get("/api/inbox")
def listed() -> ResponseReturnValue:
    """List the letters, the latest first."""
    return [letter.model_dump(mode="json") for letter in inbox().letters]


@inbox_pages.get("/api/inbox/<int:number>")
def shown(number: int) -> ResponseReturnValue:
    """Show one letter."""
    return inbox().letter(number).model_dump(mode="json")


@inbox_pages.post("/api/inbox/<int:number>/bounce")
def bounced(number: int) -> ResponseReturnValue:
    """Let a letter bounce, and show what the seller is told."""
    return _bounce(number), 201


def _bounce(number: int) -> dict[str, object]:
    event = inbox().bounce(number)
    world().queue.put(new_copy(), json.dumps(event))
    return event
