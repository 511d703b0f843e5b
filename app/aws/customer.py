"""The customer that AWS names: which AWS account bought which product, under which license and agreement."""

from dataclasses import dataclass, fields
from typing import Any, Self

from app.errors import IncompleteAnswer


@dataclass(frozen=True)
class Customer:
    """A buyer of one product, as ResolveCustomer answers. What AWS leaves out, or sends empty, is None."""

    product_code: str
    customer_aws_account_id: str | None
    customer_identifier: str | None
    license_arn: str | None
    agreement_id: str | None

    @classmethod
    def from_row(cls, row: object) -> Self:
        """Return the customer of a stored row or an event: of any object with attributes of these five names."""
        return cls(**{field.name: getattr(row, field.name) for field in fields(cls)})


def parse_customer(response: dict[str, Any]) -> Customer:
    """Return the customer in a response of ResolveCustomer.

    https://docs.aws.amazon.com/marketplace/latest/APIReference/API_marketplace-metering_ResolveCustomer.html

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
