"""GetEntitlements: what a contract's buyer has paid for.

Follows https://docs.aws.amazon.com/marketplace/latest/APIReference/API_marketplace-entitlements_GetEntitlements.html
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from app.aws import clients, errors
from app.aws.clients import CallTimeouts
from app.aws.customer import Customer
from app.errors import MarketplaceUnavailable

if TYPE_CHECKING:
    from mypy_boto3_marketplace_entitlement.type_defs import EntitlementTypeDef

FETCH_TIMEOUTS = CallTimeouts(3, 20, max_attempts=3)
FAKE_LICENSE_ARN = "arn:aws:license-manager::123456789012:license:l-00000000000000000000000000000000"
EntitlementValue = int | float | bool | str


@dataclass(frozen=True)
class AwsEntitlement:
    """One dimension of a contract: how much of it, and until when."""

    dimension: str
    value: EntitlementValue | None
    expires_at: datetime | None
    license_arn: str | None


def fetch_all(customer: Customer) -> list[AwsEntitlement]:
    """Return everything that AWS holds for the customer's license or, on old listings, for the customer; all pages.

    An agreement's license is asked for by its ARN. One that an event spelled in its own way is not an ARN that AWS
    takes: then the account's entitlements come, and the caller picks the license's.

    Raises:
        MarketplaceError: AWS could not be asked, or refused.
    """
    with errors.translate():
        return [_parse_entitlement(found) for found in _fetch_pages(customer)]


def check_access(product_code: str) -> str:
    """Ask for the entitlements of a license that does not exist, and return the URL that answered.

    Raises:
        PermissionDenied, CredentialsRefused: the seller has to mend the set-up.
        Throttled, MarketplaceUnavailable: AWS could not be asked.
    """
    client = clients.current().entitlements(clients.OPERATOR_TIMEOUTS)
    try:
        with errors.translate():
            client.get_entitlements(ProductCode=product_code, Filter={"LICENSE_ARN": [FAKE_LICENSE_ARN]})
    except MarketplaceUnavailable as error:
        # It has looked at the question: whoever may not ask hears of that first.
        if error.code != "InvalidParameterException":
            raise
    return client.meta.endpoint_url


def _fetch_pages(customer: Customer) -> "Iterator[EntitlementTypeDef]":
    client = clients.current().entitlements(FETCH_TIMEOUTS)
    # A page may be empty and have another after it.
    pages = client.get_paginator("get_entitlements").paginate(
        ProductCode=customer.product_code, Filter={_filter_name(customer): [_filter_value(customer)]}
    )
    for page in pages:
        yield from page.get("Entitlements", [])


def _filter_name(customer: Customer) -> Any:
    if customer.license_arn and customer.license_arn.startswith("arn:"):
        return "LICENSE_ARN"
    return "CUSTOMER_AWS_ACCOUNT_ID" if customer.customer_aws_account_id else "CUSTOMER_IDENTIFIER"


def _filter_value(customer: Customer) -> str:
    names = {
        "LICENSE_ARN": customer.license_arn,
        "CUSTOMER_AWS_ACCOUNT_ID": customer.customer_aws_account_id,
        "CUSTOMER_IDENTIFIER": customer.customer_identifier,
    }
    return names[_filter_name(customer)] or ""


def _parse_entitlement(response: "EntitlementTypeDef") -> AwsEntitlement:
    # AWS fills in one kind of value.
    value: EntitlementValue | None = next(iter(response.get("Value", {}).values()), None)  # type: ignore[assignment]
    return AwsEntitlement(
        response.get("Dimension", ""), value, response.get("ExpirationDate"), response.get("LicenseArn")
    )
