"""The pretend GetEntitlements, without HTTP: errors, filters and pagination.

https://docs.aws.amazon.com/marketplace/latest/APIReference/API_marketplace-entitlements_GetEntitlements.html
"""

import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator
from typing import Any

from sandbox import fault_injection
from sandbox.aws_errors import InvalidParameter
from sandbox.marketplace import Marketplace
from sandbox.purchases import Purchase
from sandbox.seller_account import SELLER_ACCOUNT_ID

PAGE_SIZE = 25
# The field of an entitlement that each filter compares.
FILTER_FIELDS = {
    "CUSTOMER_AWS_ACCOUNT_ID": "CustomerAWSAccountId",
    "CUSTOMER_IDENTIFIER": "CustomerIdentifier",
    "DIMENSION": "Dimension",
    "LICENSE_ARN": "LicenseArn",
}

Request = dict[str, Any]


def get_entitlements(marketplace: Marketplace, request: Request, caller_account_id: str) -> dict[str, Any]:
    """Return the response to a caller from that AWS account.

    Raises:
        AwsError: a parameter is invalid, or a fault is on.
    """
    fault_injection.apply(marketplace, "GetEntitlements")
    code, filters, size = request.get("ProductCode"), request.get("Filter") or {}, request.get("MaxResults", PAGE_SIZE)
    if code not in marketplace.products or caller_account_id != SELLER_ACCOUNT_ID:
        raise InvalidParameter(f"The product code is invalid: {code}")
    _validate(filters, size)
    tokens = PageTokens(marketplace.signing_key, [code, filters])
    if marketplace.faults.empty_page and "NextToken" not in request:
        return {"Entitlements": [], "NextToken": tokens.encode(0)}
    start = tokens.decode(request["NextToken"]) if "NextToken" in request else 0
    end = start + size
    matching = [item for item in _list_entitlements(marketplace, code) if _matches(item, filters)]
    next_token = {"NextToken": tokens.encode(end)} if matching[end:] else {}
    return {"Entitlements": matching[start:end], **next_token}


class PageTokens:
    """The pagination tokens of one query: signed offsets, which are invalid for any other query."""

    def __init__(self, key: bytes, query: object) -> None:
        self._key = key
        self._query = json.dumps(query, sort_keys=True)

    def encode(self, start: int) -> str:
        """Return the token of the page that starts at that offset."""
        return urlsafe_b64encode(f"{start}.{self._signature(start)}".encode()).decode()

    def decode(self, token: str) -> int:
        """Return the offset at which the page starts.

        Raises:
            InvalidParameter: the token does not belong to this query.
        """
        try:
            start = int(urlsafe_b64decode(token).decode().partition(".")[0])
        except (TypeError, ValueError):
            raise InvalidParameter("The NextToken is invalid") from None
        if token != self.encode(start):
            raise InvalidParameter("The NextToken is invalid")
        return start

    def _signature(self, start: int) -> str:
        return hmac.digest(self._key, f"{start} {self._query}".encode(), "sha256").hex()


def _validate(filters: dict[str, list[str]], size: int) -> None:
    if not isinstance(size, int) or not 1 <= size <= PAGE_SIZE:
        raise InvalidParameter(f"MaxResults is invalid: {size}. It is 1 to {PAGE_SIZE}")
    if unknown := filters.keys() - FILTER_FIELDS.keys():
        raise InvalidParameter(f"The filter is invalid: {', '.join(sorted(unknown))}")
    if {"CUSTOMER_IDENTIFIER", "CUSTOMER_AWS_ACCOUNT_ID"} <= filters.keys():
        raise InvalidParameter("CUSTOMER_IDENTIFIER and CUSTOMER_AWS_ACCOUNT_ID cannot be used together")
    if not all(filters.values()):
        raise InvalidParameter("A filter needs one value at least")


def _list_entitlements(marketplace: Marketplace, code: str) -> Iterator[dict[str, Any]]:
    for purchase in marketplace.purchases[::-1]:
        if purchase.product_code == code:
            for entitlement in purchase.entitlements:
                yield {"ProductCode": code, **_buyer_fields(purchase), **entitlement.to_aws()}


def _buyer_fields(purchase: Purchase) -> dict[str, str | None]:
    if purchase.style == "old":
        return {"CustomerIdentifier": purchase.customer_identifier, "CustomerAWSAccountId": purchase.account_id}
    return {"CustomerAWSAccountId": purchase.account_id, "LicenseArn": purchase.license_arn}


def _matches(entitlement: dict[str, Any], filters: dict[str, list[str]]) -> bool:
    return all(entitlement.get(FILTER_FIELDS[name]) in values for name, values in filters.items())
