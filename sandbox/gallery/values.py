"""What the pages of all states have in common: the example buyer, the visit and its purchase, and filled-in forms."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from werkzeug.datastructures import MultiDict

from app.aws.customer import Customer
from app.config.products import Product
from app.languages import speech
from app.services.purchases.purchase import Landing, Resolved, UnverifiedFields
from app.views import question_fields
from app.views.browser_session import Visit

ENTRY_ID, OTHER_ID = UUID(int=1), UUID(int=2)
NOW = datetime(2026, 11, 3, 14, 5, tzinfo=UTC)
CUSTOMER = Customer(
    customer_identifier="123456",
    product_code="prodcode1234567890",
    customer_aws_account_id="012345678901",
    license_arn=None,
    agreement_id="agmt-1",
)
ANSWERS = {
    "company": "Juniper & Lark",
    "full_name": "Ada Lovelace",
    "email": "ada@gmail.com",
    "phone": "+1 (555) 010-0199",
    "notes": "Please call\nafter ten.",
}


@dataclass(kw_only=True)
class ExampleRegistration:
    """What the page after the sign-up shows of a registration."""

    company: str = ANSWERS["company"]
    full_name: str = ANSWERS["full_name"]
    email: str = ANSWERS["email"]
    phone: str = ANSWERS["phone"]
    notes: str = ANSWERS["notes"]
    existing_account: str = "acme-7"
    created_at: datetime = NOW
    answers: list[dict[str, Any]] | None = None


def visit(product: Product, purchase: Any = None) -> dict[str, Any]:
    """Return the values of a page about a purchase of the product."""
    customer = replace(CUSTOMER, product_code=product.code)
    resolved = purchase or Resolved(Landing(customer, UnverifiedFields("free-trial")), None)
    return {"visit": Visit(resolved, product), "product": product, "registration": ExampleRegistration()}


def form_of(product: Product) -> Any:
    """Return the class of the product's sign-up form, in the language in use."""
    return question_fields.form_class(product, speech.language().code)


def filled(kind: Any, formdata: MultiDict[str, str] | None = None, **answers: str) -> Any:
    """Return the form with these answers, validated; it comes from no page of ours."""
    form = kind(formdata, data=answers, meta={"csrf": True})
    form.csrf_token.data = "wrong"
    form.validate()
    return form
