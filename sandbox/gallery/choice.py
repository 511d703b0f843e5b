"""What to show in the gallery: the choices of its form, with a default for each that is missing or unknown."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import cast

from app.config.products import Product
from app.languages import table
from app.languages.table import Language
from sandbox.gallery.schemes import SCHEMES, Scheme
from sandbox.gallery.states import STATES

# Of the frames, in CSS pixels.
WIDTHS = {"390": (390,), "1280": (1280,), "both": (390, 1280)}
RELOADS = {"": "when you reload the page", "2": "every 2 seconds", "10": "every 10 seconds"}
GROUPS = tuple(dict.fromkeys(state.group for state in STATES.values()))


@dataclass(frozen=True)
class Choice:
    """What is shown: one group of states, of one product, in one language and scheme."""

    product: Product
    language: Language
    scheme: Scheme
    width: str
    group: str
    reload: str


def read(arguments: Mapping[str, str], products: Mapping[str, Product]) -> Choice:
    """Return the choice in the address of a page."""
    return Choice(
        products[_known(arguments, "product", products)],
        table.of_code(arguments.get("language")),
        cast("Scheme", _known(arguments, "scheme", SCHEMES)),
        _known(arguments, "width", WIDTHS),
        _known(arguments, "group", GROUPS),
        _known(arguments, "reload", RELOADS),
    )


def _known(arguments: Mapping[str, str], name: str, values: Collection[str]) -> str:
    value = arguments.get(name, "")
    return value if value in values else next(iter(values))
