"""One page for buyers in one state, and how it is rendered by the app's own templates."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from flask import Flask, g, render_template
from flask.signals import request_started

from app.config.products import Product
from app.languages import speech
from app.languages.table import Language

Values = Mapping[str, Any]
BASE_URL = "http://localhost"


@dataclass(frozen=True)
class PageState:
    """A page in one state. `values` are its template's, made for a product while the request is there.

    `knows_product` is whether AWS has said which product was bought. `needs_handoffs` is whether only buyers of a
    product that takes hand-offs see it. `body` is the form that the browser sent.
    """

    group: str
    name: str
    template: str
    values: Callable[[Product], Values] = lambda _: {}
    path: str = "/signup"
    body: Mapping[str, str] | None = None
    knows_product: bool = True
    needs_handoffs: bool = False

    def render(self, app: Flask, product: Product, language: Language, base_url: str = BASE_URL) -> str:
        """Return the page. Addresses of its stylesheet and pictures begin with the path of `base_url`."""
        with _request(app, self, language, base_url):
            if self.knows_product:
                speech.use_texts(product.texts)
            g.has_colleagues = True
            return render_template(self.template, **self.values(product))


def same(values: Values) -> Callable[[Product], Values]:
    """Return a function that returns these values for each product."""
    return partial(_same, values)


def _same(values: Values, _product: Product) -> Values:
    return values


@contextmanager
def _request(app: Flask, state: PageState, language: Language, base_url: str) -> Iterator[None]:
    sent = {"method": "GET"} if state.body is None else {"method": "POST", "data": state.body}
    headers = {"Accept-Language": language.code}
    with app.test_request_context(state.path, base_url=base_url, headers=headers, **sent):
        # The language is chosen as for any visitor.
        request_started.send(app)
        yield
