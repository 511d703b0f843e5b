"""What the API's description says of usage: the items that products send, and examples."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from app.security.headers import MAX_USAGE_BYTES
from app.services.api import cursors
from app.services.api.usage import UsageHour, UsageItem, UsageItems, UsagePage
from app.services.metering import items, quantity
from app.views.api import usage_body

EXAMPLE_HOUR = UsageHour(
    id=UUID("01a227c8-85e3-70e1-8187-c3ad0186f92b"),
    subscription_id=UUID("01a207c8-85e3-70e1-8187-c3ad0186f92b"),
    product_code="prodcode1234567890",
    license_arn="arn:aws:license-manager::294406891311:license:l-1a2b1a2b1a2b1a2b1a2b1a2b1a2b1a2b",
    dimension="gb_processed",
    hour=datetime(2026, 11, 28, 14, tzinfo=UTC),
    quantity="17.25",
    items=12,
    state="billed",
    code=None,
    metering_record_id="8a9b1f2e-0000-4000-8000-000000000000",
    timestamp=datetime(2026, 11, 28, 14, tzinfo=UTC),
    created_at=datetime(2026, 11, 28, 14, 5, tzinfo=UTC),
    frozen_at=datetime(2026, 11, 28, 15, 10, tzinfo=UTC),
    settled_at=datetime(2026, 11, 28, 15, 10, 1, tzinfo=UTC),
)
EXAMPLE_PAGE = UsagePage([EXAMPLE_HOUR], cursors.encode_usage(EXAMPLE_HOUR.hour, EXAMPLE_HOUR.id), more=True)
EXAMPLE_ITEM: dict[str, Any] = {
    "id": "job-4711",
    "subscription": str(EXAMPLE_HOUR.subscription_id),
    "dimension": "gb_processed",
    "quantity": "1.5",
    "at": "2026-11-28T14:05:00Z",
    "tags": {"department": "research"},
}
EXAMPLE_ITEMS = UsageItems(
    [
        UsageItem(
            id=EXAMPLE_ITEM["id"],
            subscription_id=EXAMPLE_HOUR.subscription_id,
            product_code=EXAMPLE_HOUR.product_code,
            dimension=EXAMPLE_ITEM["dimension"],
            quantity=EXAMPLE_ITEM["quantity"],
            at=datetime(2026, 11, 28, 14, 5, tzinfo=UTC),
            tags=EXAMPLE_ITEM["tags"],
            late=False,
            received_at=datetime(2026, 11, 28, 14, 5, 2, tzinfo=UTC),
            state="billed",
            hour_id=EXAMPLE_HOUR.id,
            hour=EXAMPLE_HOUR.hour,
        )
    ]
)
VERDICT_STATUSES = {
    200: "The verdict on each item",
    404: "No item has a subscription or license of a product that the token is for",
    409: "Each item is in conflict with another one of its id, or of a subscription that is over",
    422: "No item is valid",
}
VERDICTS: dict[int, dict[str, Any]] = {
    200: {"verdict": "accepted"},
    404: {"verdict": "refused", "detail": "There is no such subscription or license."},
    409: {"verdict": "conflict", "detail": "Another item with this id was accepted before, and counts."},
    422: {"verdict": "refused", "detail": "The field quantity is missing."},
}


def _text(max_length: int, **keywords: object) -> dict[str, Any]:
    return {"type": "string", "minLength": 1, "maxLength": max_length, **keywords}


TAG_TEXT = f"^{items.TAG_TEXT.pattern}$"
ITEM_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "id": _text(items.MAX_TEXT_LENGTH, description="Of your own, and unique in the product"),
        "subscription": _text(600, description="Its id, or the ARN of its license"),
        "dimension": _text(items.MAX_TEXT_LENGTH, description="The dimension's API name on the listing"),
        "quantity": {"type": "string", "pattern": f"^{quantity.PATTERN.pattern}$"},
        "at": {"type": "string", "format": "date-time", "description": "When it was used"},
        "tags": {
            "type": ["object", "null"],
            "maxProperties": items.MAX_TAGS,
            "propertyNames": {"pattern": TAG_TEXT, "maxLength": items.MAX_TAG_KEY_LENGTH},
            "additionalProperties": _text(items.MAX_TAG_VALUE_LENGTH, pattern=TAG_TEXT),
        },
    },
    "required": list(items.REQUIRED_FIELDS),
    "additionalProperties": False,
    "example": EXAMPLE_ITEM,
}
REPORT: dict[str, Any] = {
    "summary": "Report usage",
    "description": (
        f"At most {items.MAX_ITEMS} items and {MAX_USAGE_BYTES // 1024**2} MB: a JSON list or, with the content type "
        f"{usage_body.LINES_TYPES[0]}, a JSON object on each line. Each item gets a verdict of its own. The same item, "
        "with the same id and content, counts once: after 503 or a lost answer, send all again. The response has the "
        "items' status where it is the same for all."
    ),
    "parameters": [],
    "requestBody": {
        "required": True,
        # Not the lines: some generators of clients warn of a type that they do not know, and leave out the whole call.
        "content": {
            usage_body.JSON_TYPE: {
                "schema": {
                    "type": "array",
                    "maxItems": items.MAX_ITEMS,
                    "items": {"$ref": "#/components/schemas/ReportedItem"},
                },
                "example": [EXAMPLE_ITEM],
            },
        },
    },
}


def example_verdicts(status: int) -> dict[str, Any]:
    """Return an answer in which each item has the status."""
    return {"items": [{"id": EXAMPLE_ITEM["id"], "status": status, **VERDICTS[status]}]}
