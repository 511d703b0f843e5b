"""The JSON Schema of hand-offs: it fits what is sent, and the copy in docs is up to date."""

import subprocess
import sys

import jsonschema  # type: ignore[import-untyped]
import pytest
from flask.testing import FlaskClient

from app.services.outbox import payload, payload_part
from app.services.outbox.payload import Contents, Handoff
from app.views.api import openapi
from tests.support.databases import on_sqlite
from tests.views.api.conftest import API_PREFIX
from tests.views.api.write_handoff_schema import SCHEMA_FILE


@on_sqlite
def test_schema_accepts_a_handoff_and_refuses_another_version(client: FlaskClient) -> None:
    response = client.get(f"{API_PREFIX}/schemas/handoff.json")
    schema = response.get_json()
    snapshot = {name: value for name, value in vars(openapi.EXAMPLE_ITEM).items() if name != "changed_at"}
    contents = Contents(sequence=1, **snapshot)
    handoff = Handoff(type="registration.completed", timestamp=openapi.EXAMPLE_TIME, version=1, data=contents)
    document = payload_part.as_json(handoff)

    assert response.mimetype == "application/schema+json"
    assert (schema["$id"], schema["title"]) == (f"urn:foyer:handoff:{payload.VERSION}", "Handoff")
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(document, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document | {"version": 2}, schema)


def test_schema_copy_in_docs_is_up_to_date() -> None:
    assert SCHEMA_FILE.read_bytes() == openapi.build_handoff_schema(), (
        "Run: .venv/bin/python -m tests.views.api.write_handoff_schema"
    )


def test_web_process_does_not_import_apispec() -> None:
    program = "import sys; from app import create_app; sys.exit('apispec' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
