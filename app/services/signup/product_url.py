"""Entering: the address that takes a buyer from their registration into the product."""

from urllib.parse import urlsplit

from app.config import handoff_endpoints
from app.config.products import Product
from app.models import Account, Registration
from app.security import sign_in_tokens

QUERY_PARAMETER = "foyer_assertion"


def url_for_buyer(product: Product, registration: Registration, account: Account | None) -> str:
    """Return where the product lets the buyer in: the account it made, or its sign-in page.

    To a product that takes hand-offs it says who comes: with an assertion good for five minutes and once.
    """
    url = (account.url if account else None) or product.sign_in_url
    if handoff_endpoints.for_product(product.code) is None or registration.subscription_id is None:
        return url
    reference = account.reference if account else None
    assertion = sign_in_tokens.issue(product.code, registration.subscription_id, registration.id, reference)
    parts = urlsplit(url)
    # What was asked before stays as it is spelt: it may be signed.
    return parts._replace(query=f"{parts.query}&{QUERY_PARAMETER}={assertion}".lstrip("&")).geturl()
