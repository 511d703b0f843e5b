"""Rewrites docs/handoff.schema.json: python -m tests.views.api.write_handoff_schema."""

from pathlib import Path

from app.views.api import openapi

SCHEMA_FILE = Path(__file__).parents[3] / "docs" / "handoff.schema.json"

if __name__ == "__main__":
    SCHEMA_FILE.write_bytes(openapi.build_handoff_schema())
