"""The page behind a resume link: the buyer's answers will be in the form when they return from AWS."""

from dataclasses import replace

from flask import Blueprint, render_template

from app.observability import logs
from app.services.signup import resume_links
from app.views import draft_cookie

blueprint = Blueprint("resume", __name__)
draft_cookie.init_blueprint(blueprint)


@blueprint.get("/resume/<link>")
def resume(link: str) -> str:
    """Show how to continue, and add the registration to this browser's draft."""
    registration_id = resume_links.registration_id_from(link)
    if registration_id:
        draft = draft_cookie.current()
        draft_cookie.save(replace(draft, unlinked_ids=(registration_id, *draft.unlinked_ids)))
        logs.set_outcome("resumed", registration=str(registration_id))
    return render_template("resume.html", is_valid=registration_id is not None)
