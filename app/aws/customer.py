"""The buyer and the product that ResolveCustomer names."""

from dataclasses import dataclass
from typing import Any

from app.errors import IncompleteAnswer


@dataclass(frozen=True)
class Customer:
    """A parsed ResolveCustomer response. A member that AWS left out or sent empty is None."""

    product_code: str
    customer_aws_account_id: str | None
    customer_identifier: str | None
    license_arn: str | None
    agreement_id: str | None


def parse_customer(response: dict[str, Any]) -> Customer:
    """Return the customer in a ResolveCustomer response.

    Raises:
        IncompleteAnswer: the product code is missing, or both customer ids are.
    """
    account_id = response.get("CustomerAWSAccountId") or None
    customer_identifier = response.get("CustomerIdentifier") or None
    product_code = response.get("ProductCode")
    if not product_code or not (account_id or customer_identifier):
        raise IncompleteAnswer("ProductCode" if not product_code else "CustomerAWSAccountId")
    metadata = response.get("Metadata") or {}
    return Customer(
        product_code=product_code,
        customer_aws_account_id=account_id,
        customer_identifier=customer_identifier,
        license_arn=response.get("LicenseArn") or None,
        agreement_id=metadata.get("AgreementId") or None,
    )
