"""What the pretend GetEntitlements says, before it becomes HTTP: filtered, and page by page.

https://docs.aws.amazon.com/marketplace/latest/APIReference/API_marketplace-entitlements_GetEntitlements.html
"""

import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator
from typing import Any

from sandbox import calls
from sandbox.purchases import SELLER_ACCOUNT_ID, Purchase
from sandbox.refusals import InvalidParameter
from sandbox.world import World

PAGE_SIZE = 25
# Which member of an entitlement each filter looks at.
FILTERS = {
    "CUSTOMER_AWS_ACCOUNT_ID": "CustomerAWSAccountId",
    "CUSTOMER_IDENTIFIER": "CustomerIdentifier",
    "DIMENSION": "Dimension",
    "LICENSE_ARN": "LicenseArn",
}

Asked = dict[str, Any]


def get_entitlements(world: World, asked: Asked, caller_account_id: str) -> dict[str, Any]:
    """Return GetEntitlements' answer to a caller from an account.

    Raises:
        Refusal: as AWS refuses the call, or as a fault that is switched on has it.
    """
    calls.admit(world, "GetEntitlements")
    code, filters, size = asked.get("ProductCode"), asked.get("Filter") or {}, asked.get("MaxResults", PAGE_SIZE)
    if code not in world.products or caller_account_id != SELLER_ACCOUNT_ID:
        raise InvalidParameter(f"The product code is invalid: {code}")
    _check(filters, size)
    tokens = Tokens(world.seal, [code, filters])
    if world.faults.empty_page and "NextToken" not in asked:
        return {"Entitlements": [], "NextToken": tokens.of(0)}
    start = tokens.read(asked["NextToken"]) if "NextToken" in asked else 0
    found = [each for each in _entitlements(world, code) if _matches(each, filters)]
    more = {"NextToken": tokens.of(start + size)} if found[start + size :] else {}
    return {"Entitlements": found[start : start + size], **more}


class Tokens:
    """The tokens of one question's pages: each says where a page starts, and is of no use for another question."""

    def __init__(self, key: bytes, question: object) -> None:
        self._key = key
        self._question = json.dumps(question, sort_keys=True)

    def of(self, start: int) -> str:
        """Return the token of the page that starts at that entitlement."""
        return urlsafe_b64encode(f"{start}.{self._signed(start)}".encode()).decode()

    def read(self, token: str) -> int:
        """Return the entitlement that a page starts at.

        Raises:
            InvalidParameter: it is not the token of a page of this question.
        """
        try:
            start = int(urlsafe_b64decode(token).decode().partition(".")[0])
        except (TypeError, ValueError):
            raise InvalidParameter("The NextToken is invalid") from None
        if token != self.of(start):
            raise InvalidParameter("The NextToken is invalid")
        return start

    def _signed(self, start: int) -> str:
        return hmac.digest(self._key, f"{start} {self._question}".encode(), "sha256").hex()


def _check(filters: dict[str, list[str]], size: int) -> None:
    if not isinstance(size, int) or not 1 <= size <= PAGE_SIZE:
        raise InvalidParameter(f"MaxResults is invalid: {size}. It is 1 to {PAGE_SIZE}")
    if unknown := filters.keys() - FILTERS.keys():
        raise InvalidParameter(f"The filter is invalid: {', '.join(sorted(unknown))}")
    if {"CUSTOMER_IDENTIFIER", "CUSTOMER_AWS_ACCOUNT_ID"} <= filters.keys():
        raise InvalidParameter("CUSTOMER_IDENTIFIER and CUSTOMER_AWS_ACCOUNT_ID cannot be used together")
    if not all(filters.values()):
        raise InvalidParameter("A filter needs one value at least")


def _entitlements(world: World, code: str) -> Iterator[dict[str, Any]]:
    for purchase in world.purchases[::-1]:
        if purchase.product_code == code:
            for entitlement in purchase.entitlements:
                yield {"ProductCode": code, **_buyer(purchase), **entitlement.printed()}


def _buyer(purchase: Purchase) -> dict[str, str | None]:
    if purchase.style == "old":
        return {"CustomerIdentifier": purchase.customer_identifier, "CustomerAWSAccountId": purchase.account_id}
    return {"CustomerAWSAccountId": purchase.account_id, "LicenseArn": purchase.license_arn}


def _matches(entitlement: dict[str, Any], filters: dict[str, list[str]]) -> bool:
    return all(entitlement.get(FILTERS[name]) in values for name, values in filters.items())
