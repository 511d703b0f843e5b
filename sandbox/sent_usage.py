"""What the example product says that it sent to Foyer, to compare with what was billed."""

import http.client
import json
from collections.abc import Iterable
from decimal import Decimal
from urllib.parse import urlsplit

from pydantic import AwareDatetime, BaseModel, TypeAdapter, ValidationError

from app.config.products import Product

USAGE_PATH = "/usage.json"
TIMEOUT_SECONDS = 0.5
LOCAL_HOSTS = ("127.0.0.1", "localhost")


class SentItem(BaseModel):
    """One item of usage, as the example product keeps it."""

    product_code: str
    # The license's ARN, or the customer of an old-style purchase.
    license: str
    dimension: str
    quantity: Decimal
    at: AwareDatetime
    is_accepted: bool


def read_items(products: Iterable[Product]) -> list[SentItem] | None:
    """Return the items of the products' example, or None where it does not run.

    A product on another machine is the seller's own, and is not asked.
    """
    urls = {urlsplit(product.handoff_url) for product in products if product.handoff_url}
    places = {(url.hostname, url.port) for url in urls if url.scheme == "http" and url.hostname in LOCAL_HOSTS}
    answers = [_read(str(host), port or 80) for host, port in places]
    known = [items for items in answers if items is not None]
    return [item for items in known for item in items] if known else None


def _read(host: str, port: int) -> list[SentItem] | None:
    connection = http.client.HTTPConnection(host, port, timeout=TIMEOUT_SECONDS)
    try:
        connection.request("GET", USAGE_PATH)
        return TypeAdapter(list[SentItem]).validate_python(json.loads(connection.getresponse().read()))
    except (OSError, http.client.HTTPException, ValueError, ValidationError):
        return None
    finally:
        connection.close()
