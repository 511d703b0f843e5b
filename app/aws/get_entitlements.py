"""GetEntitlements: what a contract's buyer has paid for.

Follows https://docs.aws.amazon.com/marketplace/latest/APIReference/API_marketplace-entitlements_GetEntitlements.html
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from app.aws import clients, errors
from app.aws.clients import Patience
from app.aws.customer import Customer
from app.errors import MarketplaceUnavailable

if TYPE_CHECKING:
    from mypy_boto3_marketplace_entitlement.type_defs import EntitlementTypeDef

PATIENCE = Patience(3, 20, attempts=3)
MADE_UP_LICENSE = "arn:aws:license-manager::123456789012:license:l-00000000000000000000000000000000"
Value = int | float | bool | str


@dataclass(frozen=True)
class Entitlement:
    """One dimension of a contract: how much of it, and until when."""

    dimension: str
    value: Value | None
    expires_at: datetime | None
    license_arn: str | None


def read(customer: Customer) -> list[Entitlement]:
    """Return everything that AWS holds for the customer's license or, on old listings, for the customer; all pages.

    An agreement's license is asked for by its ARN. One that an event spelled in its own way is not an ARN that AWS
    takes: then the account's entitlements come, and the caller picks the license's.

    Raises:
        MarketplaceError: AWS could not be asked, or refused.
    """
    with errors.translated():
        return [_entitlement(found) for found in _pages(customer)]


def try_reading(product_code: str) -> str:
    """Ask for the entitlements of a license that does not exist, and return the URL that answered.

    Raises:
        PermissionDenied, CredentialsRefused: the seller has to mend the set-up.
        Throttled, MarketplaceUnavailable: AWS could not be asked.
    """
    client = clients.current().entitlements(clients.OPERATOR)
    try:
        with errors.translated():
            client.get_entitlements(ProductCode=product_code, Filter={"LICENSE_ARN": [MADE_UP_LICENSE]})
    except MarketplaceUnavailable as error:
        # It has looked at the question: whoever may not ask hears of that first.
        if error.code != "InvalidParameterException":
            raise
    return client.meta.endpoint_url


def _pages(customer: Customer) -> "Iterator[EntitlementTypeDef]":
    client = clients.current().entitlements(PATIENCE)
    # A page may be empty and have another after it.
    pages = client.get_paginator("get_entitlements").paginate(
        ProductCode=customer.product_code, Filter={_key(customer): [_name(customer)]}
    )
    for page in pages:
        yield from page.get("Entitlements", [])


def _key(customer: Customer) -> Any:
    if customer.license_arn and customer.license_arn.startswith("arn:"):
        return "LICENSE_ARN"
    return "CUSTOMER_AWS_ACCOUNT_ID" if customer.account_id else "CUSTOMER_IDENTIFIER"


def _name(customer: Customer) -> str:
    names = {
        "LICENSE_ARN": customer.license_arn,
        "CUSTOMER_AWS_ACCOUNT_ID": customer.account_id,
        "CUSTOMER_IDENTIFIER": customer.customer_identifier,
    }
    return names[_key(customer)] or ""


def _entitlement(found: "EntitlementTypeDef") -> Entitlement:
    # AWS fills in one kind of value.
    value: Value | None = next(iter(found.get("Value", {}).values()), None)  # type: ignore[assignment]
    return Entitlement(found.get("Dimension", ""), value, found.get("ExpirationDate"), found.get("LicenseArn"))
