"""Calls to AWS go through the proxy in HTTPS_PROXY: as docs/settings.md says."""

import pytest

from app import create_app
from app.models import PendingToken
from tests.support import factories, tunnel_proxy
from tests.support.databases import on_sqlite
from tests.support.factories import TOKEN_FIELD
from tests.support.stored_rows import all_rows


@on_sqlite
def test_registration_token_is_resolved_through_the_proxy(environment: pytest.MonkeyPatch) -> None:
    with tunnel_proxy.serve(b"HTTP/1.1 502 Bad Gateway\r\n\r\n") as proxy:
        environment.setenv("HTTPS_PROXY", f"http://acme:sesame@127.0.0.1:{proxy.port}")
        environment.delenv("AWS_ENDPOINT_URL")
        with factories.open_app(create_app()) as app:
            landed = app.test_client().post("/", data={TOKEN_FIELD: "a-token"})

            assert (landed.status_code, landed.location) == (303, "/signup")
            assert len(all_rows(app, PendingToken)) == 1

    assert set(proxy.targets) == {"metering.marketplace.us-east-1.amazonaws.com:443"}
    assert proxy.headers["Proxy-Authorization"]
