"""The pages of errors, and those before and between the forms."""

from collections.abc import Iterator
from functools import partial
from itertools import product as all_pairs
from typing import Any

from app.config import products
from app.config.products import Product
from app.views import errors
from sandbox.gallery.page_state import PageState, Values, same

ERRORS, AROUND = "Errors", "Before and after"
UNSAVED: dict[str, list[str]] = {"all is saved": [], "notes are lost": ["notes"], "a question is lost": ["q_why"]}


def error_states() -> Iterator[PageState]:
    """Yield each error's page, with and without a form to send again, and what it says of saved answers."""
    pages = {page.page for page in errors.ERROR_PAGES.values()} | {"not_found", "too_large", "bad_request", "our_fault"}
    for name, method, saved in all_pairs(sorted(pages), ("GET", "POST"), UNSAVED):
        retry = {"method": method, "action": "/signup", "fields": [("company", "Juniper")]}
        values: dict[str, Any] = {
            "reference": "0a1b2c",
            "retry_form": retry,
            "saved_fields": partial(tuple, ["company"]),
            "unsaved_fields": partial(list, UNSAVED[saved]),
        }
        yield PageState(
            ERRORS,
            f"{name.replace('_', ' ')}, {'after a form' if method == 'POST' else 'after a link'}, {saved}",
            f"errors/{name}.html",
            same(values),
            body={"notes": "x"} if method == "POST" else None,
            knows_product=False,
        )


def around_states() -> Iterator[PageState]:
    """Yield the pages on which a visitor begins, and the one that leads into the product."""
    yield PageState(AROUND, "start", "start.html", path="/", knows_product=False)
    yield PageState(AROUND, "start, several products", "start.html", _several, path="/", knows_product=False)
    yield PageState(
        AROUND, "expired, several products", "errors/expired_token.html", _expired, path="/", knows_product=False
    )
    yield PageState(AROUND, "redirect into the product", "redirect.html", _redirect, path="/enter")


def several_products() -> list[Product]:
    """Return the products of a page that lists several."""
    configured = list(products.current().values())
    return configured if len(configured) > 1 else configured * 2


def _several(_product: Product) -> Values:
    return {"single_product": None, "products": several_products()}


def _expired(product: Product) -> Values:
    return {"saved_fields": tuple, **_several(product)}


def _redirect(product: Product) -> Values:
    return {"url": product.sign_in_url}
