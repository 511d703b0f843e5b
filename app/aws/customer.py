"""The customer whom AWS names: who bought what."""

from dataclasses import dataclass
from typing import Any

from app.errors import IncompleteAnswer


@dataclass(frozen=True)
class Customer:
    """Who bought what, as ResolveCustomer tells it. What AWS left out, or sent empty, is None."""

    product_code: str
    account_id: str | None
    customer_identifier: str | None
    license_arn: str | None
    agreement_id: str | None


def customer(answer: dict[str, Any]) -> Customer:
    """Return the customer in an answer of ResolveCustomer.

    Raises:
        IncompleteAnswer: the product code is missing, or both customer ids are.
    """
    account_id = answer.get("CustomerAWSAccountId") or None
    customer_identifier = answer.get("CustomerIdentifier") or None
    product_code = answer.get("ProductCode")
    if not product_code or not (account_id or customer_identifier):
        raise IncompleteAnswer("ProductCode" if not product_code else "CustomerAWSAccountId")
    metadata = answer.get("Metadata") or {}
    return Customer(
        product_code=product_code,
        account_id=account_id,
        customer_identifier=customer_identifier,
        license_arn=answer.get("LicenseArn") or None,
        agreement_id=metadata.get("AgreementId") or None,
    )
