"""Calls GetEntitlements: what the buyer of a contract has paid for.

Follows https://docs.aws.amazon.com/marketplace/latest/APIReference/API_marketplace-entitlements_GetEntitlements.html
"""

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from app.aws import clients
from app.aws.clients import CallTimeouts
from app.aws.customer import Customer
from app.aws.fields import end_or_none
from app.errors import MarketplaceUnavailable

if TYPE_CHECKING:
    from mypy_boto3_marketplace_entitlement.type_defs import EntitlementTypeDef

FETCH_TIMEOUTS = CallTimeouts(3, 20, max_attempts=3)
FAKE_LICENSE_ARN = "arn:aws:license-manager::123456789012:license:l-00000000000000000000000000000000"
EntitlementValue = int | float | bool | str


@dataclass(frozen=True)
class AwsEntitlement:
    """One dimension of a contract: how much of it, until when (None: AWS names no end), and of which license."""

    dimension: str
    value: EntitlementValue | None
    expires_at: datetime | None
    license_arn: str | None = None

    def expired(self, at: datetime) -> bool:
        """Return whether the entitlement is over at that time; at `expires_at` itself it is."""
        return self.expires_at is not None and self.expires_at <= at


def fetch_all(customer: Customer) -> list[AwsEntitlement]:
    """Return all pages of the entitlements of the customer's license or, for an old listing, of the customer.

    AWS takes a license by its ARN only. Some events spell a license in another way: then this returns the
    entitlements of the whole account, and the caller selects those of the license.

    Raises:
        MarketplaceError: AWS refused, or no response came.
    """
    with clients.translate_errors():
        paginator = clients.current().entitlements(FETCH_TIMEOUTS).get_paginator("get_entitlements")
        # An empty page can have another after it, so the paginator follows them to the end.
        pages = paginator.paginate(ProductCode=customer.product_code, Filter=_build_filter(customer))
        return [_parse_entitlement(entitlement) for page in pages for entitlement in page.get("Entitlements", [])]


def check_access(product_code: str) -> str:
    """Request the entitlements of a license that does not exist, and return the URL that responded.

    Raises:
        PermissionDenied, CredentialsRefused, SetupInvalid: the seller has to change the set-up.
        Throttled, MarketplaceUnavailable: AWS could not be reached, or failed.
    """
    client = clients.current().entitlements(clients.OPERATOR_TIMEOUTS)
    try:
        with clients.translate_errors():
            client.get_entitlements(ProductCode=product_code, Filter={"LICENSE_ARN": [FAKE_LICENSE_ARN]})
    except MarketplaceUnavailable as error:
        # AWS checks permissions before parameters, so this error shows that the permission is there.
        if error.code != "InvalidParameterException":
            raise
    return client.meta.endpoint_url


def _build_filter(customer: Customer) -> dict[Any, list[str]]:
    if customer.license_arn and customer.license_arn.startswith("arn:"):
        return {"LICENSE_ARN": [customer.license_arn]}
    if customer.customer_aws_account_id:
        return {"CUSTOMER_AWS_ACCOUNT_ID": [customer.customer_aws_account_id]}
    return {"CUSTOMER_IDENTIFIER": [customer.customer_identifier or ""]}


def _parse_entitlement(response: "EntitlementTypeDef") -> AwsEntitlement:
    # AWS fills in one type of value.
    value: EntitlementValue | None = next(iter(response.get("Value", {}).values()), None)  # type: ignore[assignment]
    expires_at = end_or_none(response.get("ExpirationDate"))
    return AwsEntitlement(response.get("Dimension", ""), value, expires_at, response.get("LicenseArn"))
