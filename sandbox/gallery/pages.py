"""The gallery on the storefront: its page, the frames on it, and the files that these load."""

from dataclasses import replace
from typing import cast

from flask import Blueprint, Flask, Response, abort, current_app, make_response, render_template, request
from flask.typing import ResponseReturnValue

from app.config.products import Products
from app.languages.table import LANGUAGES
from app.mail.message import Mail
from app.security.headers import SECURITY_HEADERS
from app.services.outbox.payload import Answer
from sandbox.gallery import answers, choice
from sandbox.gallery.choice import Choice
from sandbox.gallery.mail_states import MailState
from sandbox.gallery.schemes import SCHEMES, Scheme, of_scheme
from sandbox.gallery.shown_app import FaultyProducts, ShownApp
from sandbox.gallery.states import STATES

blueprint = Blueprint("gallery", __name__, url_prefix="/gallery")

TEXT_TYPES = {"text/css", "image/svg+xml"}
# Nothing in a frame runs or leads anywhere; a page of another site cannot frame it.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src {styles}; img-src 'self'; form-action 'none'; base-uri 'none'; "
    "frame-ancestors 'self'; sandbox allow-same-origin"
)


def _foyer() -> Flask:
    shown = cast("ShownApp", current_app.extensions["gallery"])
    return shown.current()


@blueprint.errorhandler(FaultyProducts)
def show_faults(error: FaultyProducts) -> ResponseReturnValue:
    """Show what is wrong in place of the page or of a frame."""
    return _with_reload(render_template("gallery_faults.html", faults=str(error)), request.args.get("reload", ""))


@blueprint.get("")
def index() -> ResponseReturnValue:
    """Show all states of one group, each in its frames; of a product without hand-offs those that it has."""
    foyer = _foyer()
    products: Products = foyer.extensions["products"]
    chosen = choice.read(request.args, products)
    takes_handoffs = chosen.product.code in products.handoff_endpoints
    states = {
        key: state
        for key, state in STATES.items()
        if state.group == chosen.group and (takes_handoffs or not state.needs_handoffs)
    }
    mails = {key: _compose(foyer, state, chosen) for key, state in states.items() if isinstance(state, MailState)}
    page = render_template(
        "gallery.html",
        chosen=chosen,
        choices=choice,
        mails=mails,
        pairs=_pairs(products),
        states=states,
    )
    return _with_reload(page, chosen.reload)


def _pairs(products: Products) -> dict[str, list[tuple[str, str]]]:
    """Return the options of each choice: what the address has, and what is shown."""
    return {
        "products": [(product.code, product.name) for product in products.values()],
        "groups": [(group, group) for group in choice.GROUPS],
        "languages": [(language.code, language.name) for language in LANGUAGES],
        "schemes": [(scheme, scheme) for scheme in SCHEMES],
        "widths": [(width, width) for width in choice.WIDTHS],
        "reloads": list(choice.RELOADS.items()),
    }


def _with_reload(page: str, seconds: str) -> Response:
    response = make_response(page)
    if seconds in choice.RELOADS and seconds:
        response.headers["Refresh"] = seconds
    return response


@blueprint.get("/frame")
def frame() -> ResponseReturnValue:
    """Show one page or mail alone."""
    foyer = _foyer()
    chosen = choice.read(request.args, foyer.extensions["products"])
    state = STATES.get(request.args.get("state", "")) or abort(404, "There is no such state.")
    if isinstance(state, MailState):
        return _framed(_compose(foyer, state, chosen).html, chosen.scheme, "'unsafe-inline'")
    page = state.render(foyer, chosen.product, chosen.language, _files_url(chosen.scheme))
    return _framed(page, chosen.scheme, "'self'")


def _framed(page: str, scheme: Scheme, styles: str) -> Response:
    # Links that would open in a new tab do nothing in a frame that may not open any.
    response = make_response(of_scheme(page, scheme).replace("<head>", '<head><base target="_blank">', 1))
    _secure(response, styles)
    return response


def _secure(response: Response, styles: str) -> None:
    policy = CONTENT_SECURITY_POLICY.format(styles=styles)
    response.headers.update({**SECURITY_HEADERS, "Content-Security-Policy": policy, "X-Frame-Options": "SAMEORIGIN"})


def _files_url(scheme: str) -> str:
    return f"{request.host_url}gallery/files/{scheme}"


def _compose(foyer: Flask, state: MailState, chosen: Choice) -> Mail:
    with foyer.test_request_context(headers={"Accept-Language": chosen.language.code}):
        stored = [Answer(**answer) for answer in answers.stored_answers(chosen.product) or []]
    site_url = foyer.config["SITE_URL"] or "https://start.acme.example"
    mail = state.compose(chosen.product, chosen.language, site_url, stored)
    pictures = f'src="{_files_url(chosen.scheme)}/brand/'
    return replace(mail, html=mail.html.replace(f'src="{site_url.rstrip("/")}/brand/', pictures))


@blueprint.get("/files/<scheme>/<path:path>")
def file(scheme: str, path: str) -> ResponseReturnValue:
    """Return a stylesheet or a picture, as the app serves it but for the scheme."""
    if scheme not in SCHEMES or not path.startswith(("static/", "brand/")):
        abort(404, "Pages in the gallery lead nowhere: it shows them, and nothing else.")
    with _foyer().test_client().get(f"/{path}") as served:
        if served.status_code != 200:
            abort(404, "There is no such file any more. Reload the page.")
        content: str | bytes = (
            of_scheme(served.get_data(as_text=True), scheme) if served.mimetype in TEXT_TYPES else served.data
        )
    response = Response(content, mimetype=served.mimetype)
    _secure(response, "'unsafe-inline'" if served.mimetype == "image/svg+xml" else "'self'")
    return response
