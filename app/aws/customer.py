"""The customer that AWS names: which AWS account bought which product, under which license and agreement."""

from dataclasses import dataclass, fields
from typing import Self


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
