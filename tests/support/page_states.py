"""All pages for buyers in all their states, rendered by the application's own views and templates."""

from flask import Flask

from app.config import products
from app.languages.table import BY_CODE
from sandbox.gallery.states import PAGE_STATES
from tests.support.own_pages import own_pages

GERMAN = BY_CODE["de"]


def all_pages(app: Flask) -> dict[str, str]:
    """Return every page by the name of its state, in German."""
    with app.app_context():
        [product] = products.current().values()
    pages = {f"{state.group}: {state.name}": state.render(app, product, GERMAN) for state in PAGE_STATES}
    with app.app_context():
        return pages | dict(own_pages(app))
