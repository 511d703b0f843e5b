"""Usage: items that the seller's products report, and the hours in which they are billed."""

import json
from dataclasses import dataclass
from typing import Literal

from flask import Response, g

from app.services.api import usage
from app.services.api.usage import Request, UsageItems, UsagePage
from app.services.metering import accept
from app.services.metering.hour_book import ItemVerdict
from app.services.usage_reports.hours import Filters
from app.views.api import queries, usage_body


@dataclass(frozen=True)
class Verdict:
    """What became of one item. `id` is null where the item has none that is valid; `detail` says what to do."""

    id: str | None
    status: Literal[200, 404, 409, 422]
    verdict: Literal["accepted", "conflict", "refused"]
    detail: str = ""


@dataclass(frozen=True)
class Verdicts:
    """The verdict on each item, in the order of the request."""

    items: list[Verdict]


def report() -> Response:
    """Store the items of usage, each or none, and return a verdict on each, in their order.

    If all items got the same status, the response has it: a program that looks at no more is not misled.
    """
    queries.parse(queries.Query)
    verdicts = accept.accept(usage_body.read_values(), g.reader.product_codes)
    statuses = {verdict.status for verdict in verdicts} or {200}
    body = json.dumps({"items": [_as_json(verdict) for verdict in verdicts]}, ensure_ascii=False, separators=(",", ":"))
    return Response(body, statuses.pop() if len(statuses) == 1 else 200, mimetype="application/json")


def list_hours() -> UsagePage:
    """Return hours of usage, newest first."""
    wanted = queries.parse(queries.Usage)
    states = (wanted.state,) if wanted.state else ()
    filters = Filters(None, wanted.product_code, states, wanted.dimension, wanted.since, wanted.until)
    return usage.page(Request(g.reader.product_codes, filters, wanted.limit, wanted.subscription, wanted.after))


def find_items() -> UsageItems | None:
    """Return the items with the product's id; None if there is none."""
    return usage.find_items(g.reader.product_codes, queries.parse(queries.UsageItem).id)


def _as_json(verdict: ItemVerdict) -> dict[str, object]:
    fields: dict[str, object] = {"id": verdict.id, "status": verdict.status, "verdict": verdict.verdict}
    return {**fields, "detail": verdict.detail} if verdict.detail else fields
