"""The customer that AWS names: which AWS account bought which product, under which license and agreement."""

from dataclasses import dataclass, fields
from functools import cached_property
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

    def columns(self) -> dict[str, str | None]:
        """Return the five values by name. `asdict` would copy each deeply."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @cached_property
    def purchase_key(self) -> str:
        """The natural key of the purchase: the license's id or, on old listings, the product and the customer's id."""
        return license_id(self.license_arn) if self.license_arn else self.key_without_license

    @property
    def key_without_license(self) -> str:
        """The purchase key where AWS names no license: old listings have none, and AWS may leave it out."""
        if self.customer_identifier:
            return f"{self.product_code}/{self.customer_identifier}"
        # One account may buy twice; the agreement distinguishes the two purchases.
        return "/".join(filter(None, (self.product_code, self.customer_aws_account_id, self.agreement_id)))


def license_id(license_arn: str) -> str:
    """Return what follows the last colon or slash of a license's ARN, the only part that is always spelled the same.

    Events spell the rest of the ARN in other ways than ResolveCustomer does:
    https://docs.aws.amazon.com/marketplace/latest/userguide/notifications-eventbridge.html
    """
    return license_arn.rpartition(":")[2].rpartition("/")[2] or license_arn
