"""Answers to a product's own questions: right ones, and wrong ones of each type."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from werkzeug.datastructures import MultiDict

from app.config.products import Product
from app.config.questions import FIELD_PREFIX, Question
from sandbox.gallery import values
from sandbox.gallery.values import filled, form_of

RIGHT: dict[str, Callable[[Question], list[str]]] = {
    "text": lambda question: ["Quill & Feather"[: question.max_length].ljust(int(question.min or 0), ".")],
    "long_text": lambda question: ["First line\nsecond line".ljust(int(question.min or 0), ".")[: question.max_length]],
    "choice": lambda question: [question.options[0][0]],
    "choices": lambda question: [value for value, _ in question.options[: int(question.min or question.max or 2)]],
    "consent": lambda _: ["yes"],
    "email": lambda _: ["bills@example.com"],
    "url": lambda _: ["https://example.com/team"],
    "number": lambda question: [
        str(question.min if question.min is not None else min(question.max or 12, Decimal(12)))
    ],
    "country": lambda _: ["JP"],
}
WRONG: dict[str, Callable[[Question], list[str]]] = {
    "text": lambda question: ["•" if question.pattern else "x" * (question.max_length + 1)],
    "long_text": lambda question: ["x" * (question.max_length + 1)],
    "choice": lambda _: ["•"],
    "choices": lambda question: [value for value, _ in question.options] if question.max else ["•"],
    "consent": lambda _: [],
    "email": lambda _: ["bills"],
    "url": lambda _: ["•"],
    "number": lambda _: ["•"],
    "country": lambda _: ["•"],
}


def wrong_answers(product: Product) -> MultiDict[str, str]:
    """Return the fields of a form in which each question has an answer that is refused."""
    return _fields(product, WRONG)


def right_answers(product: Product) -> MultiDict[str, str]:
    """Return the fields of a form that is filled in; an answer may not match a `pattern` of the seller's."""
    return MultiDict(values.ANSWERS) | _fields(product, RIGHT)


def stored_answers(product: Product) -> list[dict[str, Any]] | None:
    """Return right answers to the product's own questions, as they are stored; None where it asks none.

    An answer for which a `pattern` of the seller's decides may not match it.
    """
    if not product.questions.asked:
        return None
    answers: list[dict[str, Any]] = filled(form_of(product), formdata=_fields(product, RIGHT)).own_answers()
    return answers


def _fields(product: Product, kinds: dict[str, Callable[[Question], list[str]]]) -> MultiDict[str, str]:
    asked = product.questions.asked
    return MultiDict({f"{FIELD_PREFIX}{question.id}": kinds[question.type](question) for question in asked})
