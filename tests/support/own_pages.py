"""Pages of a product with a brand and questions of its own, in all their states."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

from werkzeug.datastructures import MultiDict

from app.config import questions
from app.config.accents import dark_shades, light_shades
from app.config.brand import Brand
from app.config.pictures import Picture
from app.config.products import Product
from sandbox.gallery.page_state import PageState, Values
from sandbox.gallery.values import filled, form_of, visit
from sandbox.gallery.welcome_states import WelcomeValues
from tests.support.pictures import LOGO_SVG

LOGO = Picture(LOGO_SVG, "image/svg+xml", 120, 40)
BRAND = Brand(
    logo=LOGO,
    logo_dark=LOGO,
    icon=LOGO,
    light=light_shades("#0b5fff"),
    dark=dark_shades("#7dabff"),
    corners="square",
    privacy_url="https://acme.example/privacy",
    terms_url="https://acme.example/terms",
)
# The words of the seller's own begin with this: they are in no catalogue of ours.
OWN = "Acme-"
LISTED = [f"{OWN}{number}" for number in range(8)]
TABLES: list[dict[str, Any]] = [
    {"id": "team", "type": "text", "required": True, "min": 2, "hint": f"{OWN}hint"},
    {"id": "code", "type": "text", "pattern": "[A-Z]+", "message": f"{OWN}message"},
    {"id": "why", "type": "long_text", "max": 500},
    {"id": "plan", "type": "choice", "required": True, "options": [f"{OWN}small", f"{OWN}large"]},
    {"id": "edition", "type": "choice", "options": [f"{OWN}free", f"{OWN}paid"]},
    {"id": "zone", "type": "choice", "options": LISTED},
    {"id": "tools", "type": "choices", "required": True, "options": LISTED, "min": 2, "max": 3},
    {"id": "terms", "type": "consent", "required": True},
    {"id": "news", "type": "consent"},
    {"id": "billing", "type": "email"},
    {"id": "site", "type": "url"},
    {"id": "seats", "type": "number", "required": True, "min": 1, "max": 100000},
    {"id": "land", "type": "country", "required": True},
]
QUESTIONS = questions.read([{"label": f"{OWN}{table['id']}", **table} for table in TABLES])
RIGHT: dict[str, list[str]] = {
    "q_team": [f"{OWN}team"],
    "q_why": [f"{OWN}line"],
    "q_plan": [f"{OWN}large"],
    "q_zone": [LISTED[3]],
    "q_tools": LISTED[:2],
    "q_terms": ["yes"],
    "q_seats": ["12.5"],
    "q_land": ["JP"],
}
# In each, other answers are wrong, or wrong in another way.
WRONG: list[dict[str, list[str]]] = [
    {},
    {"q_team": ["x"], "q_code": ["1"], "q_plan": ["1"], "q_tools": LISTED[:1], "q_seats": ["0"], "q_land": ["XX"]},
    {"q_team": ["x" * 201], "q_tools": LISTED[:4], "q_seats": ["100001"], "q_zone": ["1"]},
    {"q_seats": ["1"], "q_tools": ["1", "2"], "q_billing": ["1"], "q_site": ["1"]},
    {"q_seats": ["•"]},
]


def own_product(product: Product) -> Product:
    """Return the product with a brand and questions."""
    return replace(product, code="owncode1234567890", brand=BRAND, questions=QUESTIONS)


def own_states() -> Iterator[PageState]:
    """Yield the form, empty and with each fault, and the page after it."""
    yield PageState("own", "own signup", "signup.html", partial(_signup, None))
    for number, answers in enumerate([RIGHT, *WRONG]):
        yield PageState("own", f"own signup {number}", "signup.html", partial(_signup, answers))
    yield PageState("own", "own welcome", "welcome.html", _welcome, path="/welcome")


def _signup(answers: dict[str, list[str]] | None, product: Product) -> Values:
    kind = form_of(product)
    form = kind() if answers is None else filled(kind, formdata=MultiDict(answers))
    values = {"max_notes": 2000, "prefilled": False, "is_invited": False, "registration": None}
    return {**visit(product), **values, "form": form}


def _welcome(product: Product) -> Values:
    values = WelcomeValues(status="active", account="ready")(product)
    values["registration"].answers = filled(form_of(product), formdata=MultiDict(RIGHT)).own_answers()
    return values
