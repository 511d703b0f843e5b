"""What the pages of all states have in common: the request, the visit and its purchase, and forms with errors."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any
from uuid import UUID

from flask import Flask
from flask.signals import request_started
from werkzeug.datastructures import MultiDict

from app.aws.customer import Customer
from app.config import products
from app.config.products import Product
from app.services.purchases.purchase import Landing, Resolved, UnverifiedFields
from app.views.browser_session import Visit
from tests.support.factories import ANSWERS, PRODUCT_CODE

State = tuple[str, str]
ENTRY_ID, OTHER_ID = UUID(int=1), UUID(int=2)
NOW = datetime(2026, 11, 3, 14, 5, tzinfo=UTC)
ACCOUNT_ID = "012345678901"
CUSTOMER = Customer(
    customer_identifier="123456",
    product_code=PRODUCT_CODE,
    customer_aws_account_id=ACCOUNT_ID,
    license_arn=None,
    agreement_id="agmt-1",
)


@contextmanager
def request_in_german(app: Flask, *args: Any, **kwargs: Any) -> Iterator[None]:
    """Begin a request of a browser that asks for German."""
    with app.test_request_context(*args, headers={"Accept-Language": "de"}, **kwargs):
        request_started.send(app)
        yield


def visit(purchase: Any = None, product: Product | None = None) -> dict[str, Any]:
    resolved = purchase or Resolved(Landing(CUSTOMER, UnverifiedFields("free-trial")), None)
    product = product or products.current().single
    registration = SimpleNamespace(**ANSWERS, existing_account="acme-7", created_at=NOW, answers=None)
    registration.notes = "\n".join("line" for _ in range(14))
    return {"visit": Visit(resolved, product), "product": product, "registration": registration}


def filled(kind: Any, formdata: MultiDict[str, str] | None = None, **answers: str) -> Any:
    """Return the form with these answers, validated; it comes from no page of ours."""
    form = kind(formdata, data=answers, meta={"csrf": True})
    form.csrf_token.data = "wrong"
    form.validate()
    return form
