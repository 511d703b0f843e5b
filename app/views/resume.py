"""The page behind a resume link: this browser is to have the buyer's answers when they come back from AWS."""

from dataclasses import replace

from flask import Blueprint, render_template

from app import logs
from app.services import resuming
from app.views import draft

blueprint = Blueprint("resume", __name__)
draft.init_blueprint(blueprint)


@blueprint.get("/resume/<link>")
def resume(link: str) -> str:
    """Say how to go on, and remember which registration it is about."""
    registration_id = resuming.registration_of(link)
    if registration_id:
        kept = draft.current()
        draft.keep(replace(kept, unlinked_ids=(registration_id, *kept.unlinked_ids)))
        logs.note("resumed", registration=str(registration_id))
    return render_template("resume.html", found=registration_id is not None)
