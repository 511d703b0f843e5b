"""The page behind a resume link: whoever knows the registered address gets the answers into the form."""

from dataclasses import replace

from flask import Blueprint, render_template
from werkzeug import Response

from app.languages.speech import lazy_gettext
from app.observability import logs
from app.security import rate_counters
from app.services.signup import resume_links
from app.views import draft_cookie
from app.views.forms import ResumeForm

blueprint = Blueprint("resume", __name__)
draft_cookie.init_blueprint(blueprint, saves_forms=False)

# Of one registration: its owner mistypes the address once or twice.
MAX_WRONG_ADDRESSES, WRONG_ADDRESSES_WINDOW_SECONDS = 10, 3600
WRONG_ADDRESS = lazy_gettext("This is not the address that you registered with. Check it for typing mistakes.")
TOO_MANY_WRONG = lazy_gettext(
    "There were too many wrong addresses. Wait an hour, or register again from AWS Marketplace."
)


@blueprint.get("/resume/<link>")
def show(link: str) -> str:
    """Ask for the registered address: the link alone may be in a stranger's hands, and shows nothing."""
    is_valid = resume_links.registration_id_from(link) is not None
    return render_template("resume.html", is_valid=is_valid, form=ResumeForm())


@blueprint.post("/resume/<link>")
def resume(link: str) -> Response | str | tuple[str, int]:
    """Add the registration to this browser's draft, and show how to continue."""
    registration_id = resume_links.registration_id_from(link)
    form, status = ResumeForm(), 422
    if registration_id and form.validate_on_submit():
        counters, key = rate_counters.current(), f"resume/{registration_id}"
        if counters.get(key) >= MAX_WRONG_ADDRESSES:
            form.email.errors, status = [str(TOO_MANY_WRONG)], 429
        elif resume_links.is_of_address(registration_id, form.email.data or ""):
            draft = draft_cookie.current()
            draft_cookie.save(replace(draft, unlinked_ids=(registration_id, *draft.unlinked_ids)))
            logs.set_outcome("resumed", registration=str(registration_id))
            return render_template("resume.html", is_valid=True, form=None)
        else:
            counters.increment(key, WRONG_ADDRESSES_WINDOW_SECONDS)
            form.email.errors = [str(WRONG_ADDRESS)]
        logs.set_outcome("wrong_address", registration=str(registration_id))
    return render_template("resume.html", is_valid=registration_id is not None, form=form), status
