"""The sandbox's clock in the JSON API."""

from datetime import timedelta

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from sandbox.clock import Advance
from sandbox.pages import current_marketplace

blueprint = Blueprint("clock", __name__)


@blueprint.get("/api/clock")
def show() -> ResponseReturnValue:
    """Show the sandbox's time, and by how many seconds it is ahead of this machine's."""
    return current_marketplace().clock.to_json()


@blueprint.post("/api/clock")
def advance() -> ResponseReturnValue:
    """Move the clock ahead."""
    advance_by(request.get_json())
    return show()


def advance_by(fields: object) -> None:
    """Move the clock ahead by the fields of a request, and save it.

    Raises:
        ValidationError: they are not `advance_minutes` alone, a whole number from 1.
    """
    by = Advance.model_validate(fields)
    current_marketplace().clock.advance(timedelta(minutes=by.advance_minutes))
    current_marketplace().save()
