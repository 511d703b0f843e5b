"""Reads the tables inside that of a product: usage, brand, questions and texts."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from app.config import brand, questions, texts, usage_rules
from app.config.fields import TableFaults
from app.config.settings import SettingsError


def read(name: str, values: dict[str, Any], path: Path) -> tuple[dict[str, Any], list[str]]:
    """Take the tables inside the product's out of the values; return what they say, and what is wrong with them."""
    parts: dict[str, Any] = {}
    faults: list[str] = []
    own_texts = (values["ready_within"],) if isinstance(values.get("ready_within"), str) else ()
    readers: dict[str, tuple[str, Callable[[Any], object]]] = {
        "usage": (f"[{name}.usage]", usage_rules.read),
        "brand": (f"[{name}.brand]", lambda table: brand.read(table, path.parent)),
        "questions": (f"[[{name}.questions]]", questions.read),
        "texts": (f"[{name}.texts]", lambda table: texts.parse(f"{path}, [{name}.texts]", table, own_texts)),
    }
    for part, (heading, reader) in readers.items():
        table = values.pop(part, None)
        try:
            if table is not None:
                parts[part] = reader(table)
        except SettingsError as error:
            faults += error.problems
        except TableFaults as error:
            faults += [f"{f'{path}, {heading} {shown(place)}'.rstrip()}: {fault}." for place, fault in error.faults]
    return parts, faults


def shown(name: str) -> str:
    """Return the name for a message, without control characters."""
    return name if name.isprintable() else ascii(name)
