"""The landing with random requests (hypothesis): the status is never a server error."""

from urllib.parse import urlencode

import pytest
from flask.testing import FlaskClient
from hypothesis import example, given
from hypothesis import strategies as st

from sandbox.server import Sandbox
from tests.hostile.raw_http import FORM_CONTENT_TYPE
from tests.support import factories
from tests.support.databases import on_sqlite
from tests.support.factories import TOKEN_FIELD

PREFIX = "x-amzn-marketplace-"
TOKEN_PLACEHOLDER = "a real token"
BOUNDARY = "b0undary"
# 429: all examples come from one address, which exceeds the rate limit.
EXPECTED_STATUSES = {303, 400, 413, 429}

NAMES = st.one_of(
    st.sampled_from([TOKEN_FIELD, f"{PREFIX}offer-type", f"{PREFIX}agreement-id", "csrf_token", ""]),
    st.text(max_size=80).map(PREFIX.__add__),
    st.text(max_size=20),
)
FIELDS = st.lists(st.tuples(NAMES, st.one_of(st.just(TOKEN_PLACEHOLDER), st.text())), max_size=15)
CONTENT_TYPES = st.one_of(
    st.sampled_from(
        [
            FORM_CONTENT_TYPE,
            f"{FORM_CONTENT_TYPE}; charset=utf-7",
            f"multipart/form-data; boundary={BOUNDARY}",
            "multipart/form-data",
        ]
    ),
    st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=60),
)
VALUES = st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=100)
HEADER_NAMES = ["Accept", "Accept-Language", "Authorization", "Cookie", "Host", "If-None-Match", "Origin", "Range"]
FORWARDED = ["Referer", "User-Agent", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Request-Id"]
HEADERS = st.dictionaries(st.sampled_from([*HEADER_NAMES, *FORWARDED]), VALUES, max_size=6)
SESSIONS = st.one_of(
    VALUES, st.from_regex(r"\.?e[A-Za-z0-9_-]{0,50}\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27}", fullmatch=True)
)


@pytest.fixture
def token(sandbox: Sandbox) -> str:
    """A registration token, which can be used for many landings."""
    return factories.token(sandbox)


def multipart(fields: list[tuple[str, str]]) -> bytes:
    parts = (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in fields
    )
    return "".join([*parts, f"--{BOUNDARY}--\r\n"]).encode()


@given(fields=FIELDS)
@example(fields=[(TOKEN_FIELD, TOKEN_PLACEHOLDER), (f"{PREFIX}\x00", "null"), (f"{PREFIX}a", "\x00")])
@example(
    fields=[
        (TOKEN_FIELD, TOKEN_PLACEHOLDER),
        (f"{PREFIX}\ud800".encode("utf-8", "surrogatepass").decode("latin-1"), "half a pair"),
    ]
)
def test_landing_with_a_valid_token_accepts_any_other_fields(
    client: FlaskClient, token: str, fields: list[tuple[str, str]]
) -> None:
    form = [(TOKEN_FIELD, token), *((name, token if value == TOKEN_PLACEHOLDER else value) for name, value in fields)]

    response = client.post("/", data=urlencode(form), content_type=FORM_CONTENT_TYPE)

    assert response.status_code in {303, 429}


@on_sqlite
@given(
    body=st.one_of(st.binary(), FIELDS.map(multipart), FIELDS.map(lambda fields: urlencode(fields).encode())),
    content_type=CONTENT_TYPES,
)
def test_landing_refuses_any_body_of_any_content_type(client: FlaskClient, body: bytes, content_type: str) -> None:
    response = client.post("/", data=body, content_type=content_type)

    assert response.status_code in EXPECTED_STATUSES - {303}


@on_sqlite
@given(headers=HEADERS, session=SESSIONS)
def test_any_headers_cause_no_server_error(
    client: FlaskClient, token: str, headers: dict[str, str], session: str
) -> None:
    headers = {"Cookie": f"session={session}", **headers}

    landing = client.post("/", data={TOKEN_FIELD: token}, headers=headers)
    form = client.application.test_client().get("/signup", headers=headers)

    assert landing.status_code in EXPECTED_STATUSES
    assert form.status_code == 403


@on_sqlite
@given(
    path=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="?")),
    query=VALUES,
    method=st.sampled_from(["GET", "POST", "PUT", "OPTIONS"]),
)
def test_any_path_query_and_method_cause_no_server_error(
    client: FlaskClient, path: str, query: str, method: str
) -> None:
    # After two slashes the test client would read a host name.
    with client.open(f"/{path.lstrip('/')}", query_string=query, method=method) as response:
        assert response.status_code in {200, 308, 400, 403, 404, 405, 429}
