"""Usage: items that the seller's products report, and the hours in which they are billed."""

import json

from flask import Response, g

from app.services.metering import accept
from app.services.metering.hour_book import ItemVerdict
from app.views.api import queries, usage_body


def report() -> Response:
    """Store the items of usage, each or none, and return a verdict on each, in their order.

    If all items got the same status, the response has it: a program that looks at no more is not misled.
    """
    queries.parse(queries.Query)
    verdicts = accept.accept(usage_body.read_values(), g.reader.product_codes)
    statuses = {verdict.status for verdict in verdicts} or {200}
    body = json.dumps({"items": [_as_json(verdict) for verdict in verdicts]}, ensure_ascii=False, separators=(",", ":"))
    return Response(body, statuses.pop() if len(statuses) == 1 else 200, mimetype="application/json")


def _as_json(verdict: ItemVerdict) -> dict[str, object]:
    fields: dict[str, object] = {"id": verdict.id, "status": verdict.status, "verdict": verdict.verdict}
    return {**fields, "detail": verdict.detail} if verdict.detail else fields
