"""The choice of a language: by the switch on each page, kept in the session, else by the browser's Accept-Language."""

from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from flask import Blueprint, Flask, Response, redirect, request, session, url_for
from flask.signals import request_started
from markupsafe import Markup
from werkzeug import Response as WerkzeugResponse

from app.config import products
from app.languages import choice, speech
from app.languages.table import BY_CODE, LANGUAGES, Language
from app.views import draft_cookie, template_helpers

blueprint = Blueprint("language", __name__)
# What is typed into the sign-up form stays when its language is switched.
draft_cookie.init_blueprint(blueprint)

SESSION_KEY = "Language"
MAX_PATH_LENGTH = 500


def init_app(app: Flask) -> None:
    """Choose a language for each request, and give the templates their switch."""
    app.config.setdefault("TRANSLATIONS", speech.FOLDER)
    # A signal, which no earlier handler of the request can prevent.
    request_started.connect(_start, app)
    app.teardown_request(lambda _: speech.end())
    app.after_request(_add_vary)
    app.jinja_env.globals["language_buttons"] = language_buttons
    app.jinja_env.globals["language_url"] = language_url


def _start(app: Flask, **_: Any) -> None:
    folder: Path = app.config["TRANSLATIONS"]
    speech.start(_choose, folder)
    single = products.current().single
    if single:
        speech.about(single.texts)


def _choose() -> Language:
    chosen = BY_CODE.get(session.get(SESSION_KEY, ""))
    return chosen or choice.by_header(request.headers.get("Accept-Language", ""))


def _add_vary(response: Response) -> Response:
    if response.mimetype == "text/html":
        response.vary.add("Accept-Language")
    return response


@blueprint.post("/language")
def choose() -> WerkzeugResponse:
    """Keep the language in the session, and lead back to the page; `again` sends its request once more."""
    language = BY_CODE.get(request.form.get("language", ""))
    if language and _is_from_our_page():
        session.permanent = True
        session[SESSION_KEY] = language.code
    # 307: the browser sends the same body to the page that answered it.
    return redirect(_way_back(request.args.get("next", "")), 307 if "again" in request.args else 303)


def _is_from_our_page() -> bool:
    """Return whether one of our pages sent this. From others, the cookie with the purchase does not come along."""
    site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
    if site:
        return site == "same-origin"
    return origin is None or urlsplit(origin).netloc == request.host


def _way_back(address: str) -> str:
    """Return the address of our page: no other site's, whatever the form says."""
    path, _, query = address.partition("?")
    way_back = f"{request.root_path.rstrip('/')}/{quote(path.lstrip('/'), safe='/=')}"
    kept = "&".join(name for name in template_helpers.PAGE_QUERY_PARAMETERS if name in query.split("&"))
    if len(way_back) > MAX_PATH_LENGTH or path == url_for("language.choose"):
        return url_for("landing.show")
    return f"{way_back}?{kept}" if kept else way_back


def language_url(sends_again: bool = False) -> str:
    """Return where this page's switch sends the choice; `sends_again`: with the request that the page answers."""
    names = [name for name in template_helpers.PAGE_QUERY_PARAMETERS if name in request.args]
    address = quote(request.path + ("?" + "&".join(names) if names else ""), safe="/")
    if len(address) > MAX_PATH_LENGTH:
        address = "/"
    return f"{url_for('language.choose')}?next={address}{'&again' if sends_again else ''}"


def language_buttons(form: str | None = None, sends_again: bool = False) -> Markup:
    """Return a button for each other language, and the name of the one in use; `form` is the id of their form."""
    if form is None:
        return _buttons(speech.language(), Markup(""))
    attributes = Markup(' form="%s" formaction="%s" formnovalidate') % (form, language_url(sends_again))
    return _buttons(speech.language(), attributes)


@lru_cache(maxsize=64)
def _buttons(current: Language, attributes: Markup) -> Markup:
    names = Markup(' lang="{0.code}" dir="{0.dir}"')
    button = Markup('<button type="submit" name="language" value="{0.code}"{1}{2}>{0.name}</button>')
    shown = Markup('<span aria-current="true"{1}>{0.name}</span>')
    items = [
        shown.format(language, names.format(language))
        if language == current
        else button.format(language, names.format(language), attributes)
        for language in LANGUAGES
    ]
    return Markup("\n").join(items)
