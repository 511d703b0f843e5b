"""The JSON Schema of hand-offs: made from the code, true of what is sent, and the same in the documents."""

import subprocess
import sys

import jsonschema  # type: ignore[import-untyped]
import pytest
from flask.testing import FlaskClient

from app.services.outbox import payload
from app.services.outbox.payload import Contents, Handoff
from app.views.api import openapi
from tests.support.databases import on_sqlite
from tests.views.api.conftest import API_PREFIX
from tests.views.api.write_handoff_schema import SCHEMA_FILE


@on_sqlite
def test_the_schema_of_handoffs_is_true_of_them_and_refuses_others(client: FlaskClient) -> None:
    response = client.get(f"{API_PREFIX}/schemas/handoff.json")
    schema = response.get_json()
    contents = Contents(sequence=1, **dict(openapi.EXAMPLE_ITEM))
    handoff = Handoff(type="registration.completed", timestamp=openapi.EXAMPLE_TIME, version=1, data=contents)
    sent = handoff.model_dump(mode="json")

    assert response.mimetype == "application/schema+json"
    assert (schema["$id"], schema["title"]) == (f"urn:foyer:handoff:{payload.VERSION}", "Handoff")
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(sent, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(sent | {"version": 2}, schema)


def test_the_copy_in_the_documents_is_the_schema_of_today() -> None:
    assert SCHEMA_FILE.read_bytes() == openapi.build_handoff_schema(), (
        "Run: .venv/bin/python -m tests.views.api.write_handoff_schema"
    )


def test_a_web_process_does_not_load_what_describes_it() -> None:
    loads = "import sys; from app import create_app; sys.exit('apispec' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", loads], check=False).returncode == 0
