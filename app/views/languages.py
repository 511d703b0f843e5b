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
from app.languages.speech import N_
from app.languages.table import BY_CODE, LANGUAGES, Language
from app.views import draft_cookie, template_helpers
from app.views.browser_session import LANGUAGE_KEY

blueprint = Blueprint("language", __name__)
# What is typed into the sign-up form stays when its language is switched.
draft_cookie.init_blueprint(blueprint)

PATH = "/language"
# TRANSLATORS: what the names of languages are a choice of; read aloud
LABEL = N_("Language")
MAX_PATH_LENGTH = 500


def init_app(app: Flask) -> None:
    """Choose a language for each request, and give the templates their switch."""
    app.config.setdefault("TRANSLATIONS", speech.FOLDER)
    # A signal, which no earlier handler of the request can prevent.
    request_started.connect(_start, app)
    app.teardown_request(lambda _: speech.end())
    app.after_request(_add_vary)
    app.jinja_env.globals["language_switch"] = language_switch


def _start(app: Flask, **_: Any) -> None:
    folder: Path = app.config["TRANSLATIONS"]
    single = products.current().single
    speech.start(_choose, single.texts if single else {}, folder)


def _choose() -> Language:
    chosen = BY_CODE.get(session.get(LANGUAGE_KEY, ""))
    return chosen or choice.by_header(request.headers.get("Accept-Language", ""))


def _add_vary(response: Response) -> Response:
    if response.mimetype == "text/html":
        # Flask adds the session's Cookie to it.
        response.headers.setdefault("Vary", "Accept-Language")
    return response


@blueprint.post(PATH)
def choose() -> WerkzeugResponse:
    """Keep the language in the session, and lead back to the page; `again` sends its request once more."""
    language = BY_CODE.get(request.form.get("language", ""))
    if language and _is_from_our_page():
        session.permanent = True
        session[LANGUAGE_KEY] = language.code
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
    way_back = f"{template_helpers.root_path()}/{quote(path.lstrip('/'), safe='/=')}"
    kept = "&".join(name for name in template_helpers.PAGE_QUERY_PARAMETERS if name in query.split("&"))
    if len(way_back) > MAX_PATH_LENGTH or path == PATH:
        return url_for("landing.show")
    return f"{way_back}?{kept}" if kept else way_back


def language_url(sends_again: bool = False) -> str:
    """Return where this page's switch sends the choice; `sends_again`: with the request that the page answers."""
    query = template_helpers.page_query()
    address = quote(f"{request.path}?{query}" if query else request.path, safe="/")
    if len(address) > MAX_PATH_LENGTH:
        address = "/"
    # Not url_for, which takes as long as all texts of a page.
    return f"{template_helpers.root_path()}{PATH}?next={address}{'&again' if sends_again else ''}"


def language_switch(form: str | None = None, again: bool = False) -> Markup:
    """Return a button for each other language, and the name of the one in use.

    `form` is the id of a form on the page whose fields go along: what was typed into it comes back with the page or,
    with `again`, its request is sent once more in the other language.
    """
    return _switch(speech.language(), speech.html(LABEL), language_url(again), form)


@lru_cache(maxsize=256)
def _switch(current: Language, label: str, url: str, form: str | None) -> Markup:
    names = Markup(' lang="{0.code}" dir="{0.dir}"')
    with_form = Markup(' form="{}" formaction="{}" formnovalidate').format(form, url) if form else Markup("")
    button = Markup('<button type="submit" name="language" value="{0.code}"{1}{2}>{0.name}</button>')
    shown = Markup('<span aria-current="true"{1}>{0.name}</span>')
    items = Markup("\n").join(
        (shown if language == current else button).format(language, names.format(language), with_form)
        for language in LANGUAGES
    )
    if not form:
        items = Markup('<form method="post" action="{}">\n{}\n</form>').format(url, items)
    return Markup('<nav class="languages" aria-label="{}">\n{}\n</nav>').format(label, items)
