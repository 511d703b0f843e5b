"""The page behind a resume link: this browser is to have the buyer's answers when they come back from AWS."""

from dataclasses import replace

from flask import Blueprint, render_template

from app.observability import logs
from app.services.signup import resume_links
from app.views import draft_cookie

blueprint = Blueprint("resume", __name__)
draft_cookie.init_blueprint(blueprint)


@blueprint.get("/resume/<link>")
def resume(link: str) -> str:
    """Say how to go on, and remember which registration it is about."""
    registration_id = resume_links.registration_id_from(link)
    if registration_id:
        kept = draft_cookie.current()
        draft_cookie.save(replace(kept, unlinked_ids=(registration_id, *kept.unlinked_ids)))
        logs.set_outcome("resumed", registration=str(registration_id))
    return render_template("resume.html", found=registration_id is not None)
