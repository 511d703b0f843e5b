"""A product with a question of each type, and answers to them."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support import factories
from tests.support.factories import ANSWERS, PRODUCT_CODE, PRODUCT_FIELDS

QUESTIONS: list[dict[str, Any]] = [
    {"id": "team", "type": "text", "label": {"en": "Team name", "de": "Teamname"}, "hint": "As on your door."},
    {"id": "why", "type": "long_text", "label": "Why us?"},
    {"id": "plan", "type": "choice", "label": "Plan", "required": True, "options": ["Small", "Large"]},
    {"id": "zone", "type": "choice", "label": "Zone", "options": [f"Zone {number}" for number in range(8)]},
    {
        "id": "tools",
        "type": "choices",
        "label": "Tools",
        "options": [
            {"value": "s", "label": "Slack"},
            {"value": "t", "label": "Teams"},
            {"value": "m", "label": "Mail"},
        ],
        "max": 2,
    },
    {"id": "news", "type": "consent", "label": "Send me news."},
    {"id": "billing", "type": "email", "label": "Billing contact"},
    {"id": "site", "type": "url", "label": "Your site"},
    {"id": "seats", "type": "number", "label": "Seats", "required": True, "min": 1, "max": 100000},
    {"id": "land", "type": "country", "label": "Country"},
]
# What a browser sends for them.
FIELDS: dict[str, Any] = {
    "q_team": "Quill & Feather",
    "q_why": "First line\nsecond line",
    "q_plan": "Large",
    "q_zone": "Zone 3",
    "q_tools": ["s", "m"],
    "q_news": "yes",
    "q_billing": "bills@example.com",
    "q_site": "https://example.com/a?b=c",
    "q_seats": "12.50",
    "q_land": "JP",
}
FORM = {**ANSWERS, **FIELDS}
SHOWN = {
    "team": "Quill & Feather",
    "why": "First line\nsecond line",
    "plan": "Large",
    "zone": "Zone 3",
    "tools": "Slack, Mail",
    "news": "Agreed",
    "billing": "bills@example.com",
    "site": "https://example.com/a?b=c",
    "seats": "12.50",
    "land": "Japan",
}


def write_file(folder: Path, questions: list[dict[str, Any]], **product: Any) -> Path:
    """Write a products file whose product asks these questions; return its path."""
    lines = [f"[products.{PRODUCT_CODE}]"]
    lines += [f"{name} = {_toml(value)}" for name, value in {**PRODUCT_FIELDS, **product}.items()]
    for question in questions:
        lines += ["", f"[[products.{PRODUCT_CODE}.questions]]"]
        lines += [f"{name} = {_toml(value)}" for name, value in question.items()]
    path = folder / "products.toml"
    path.write_text("\n".join([*lines, ""]), encoding="utf-8")
    return path


def configure(environment: pytest.MonkeyPatch, folder: Path, questions: list[dict[str, Any]], **product: Any) -> None:
    """Set the environment so that the product asks these questions."""
    factories.use_products_file(environment, write_file(folder, questions, **product))


def _toml(value: Any) -> str:
    match value:
        case dict():
            return f"{{ {', '.join(f'{name} = {_toml(member)}' for name, member in value.items())} }}"
        case list():
            return f"[{', '.join(map(_toml, value))}]"
    # JSON's texts and numbers are TOML's, but for the letters outside of Unicode's first plane.
    return json.dumps(value, ensure_ascii=False)
