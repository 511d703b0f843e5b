"""All pages for buyers in all their states, rendered by the application's own views and templates."""

from collections.abc import Callable
from functools import partial

from flask import Flask

from app.config import products
from app.languages.table import BY_CODE, Language
from sandbox.gallery.states import PAGE_STATES
from tests.support.own_pages import own_product, own_states

GERMAN = BY_CODE["de"]


def renderers(app: Flask) -> dict[str, Callable[[Language], str]]:
    """Return what renders each page in a language, by the name of its state."""
    with app.app_context():
        [product] = products.current().values()
    pages = {f"{state.group}: {state.name}": (state, product) for state in PAGE_STATES}
    pages |= {state.name: (state, own_product(product)) for state in own_states()}
    return {name: partial(state.render, app, sold) for name, (state, sold) in pages.items()}


def all_pages(app: Flask) -> dict[str, str]:
    """Return every page by the name of its state, in German."""
    return {name: render(GERMAN) for name, render in renderers(app).items()}
