"""Writes docs/handoff.schema.json anew: python -m tests.views.api.schema_copy."""

from pathlib import Path

from app.views.api import openapi

COPY = Path(__file__).parents[3] / "docs" / "handoff.schema.json"

if __name__ == "__main__":
    COPY.write_bytes(openapi.handoff_schema())
