"""Calls on open connections: over HTTP and TLS, they run on the thread that serves the request."""

import json
from pathlib import Path

import pytest

from app import create_app
from app.aws import resolve_customer
from tests.support import certificates, factories
from tests.support.aws_http_server import AwsHttpServer
from tests.support.databases import on_sqlite
from tests.support.token_floods import GOOD

pytestmark = on_sqlite

BODY = json.dumps(GOOD.body).encode()


@pytest.mark.parametrize("is_encrypted", [True, False])
def test_call_on_an_open_connection_needs_no_other_thread(
    environment: pytest.MonkeyPatch, tmp_path: Path, is_encrypted: bool
) -> None:
    context, certificate = certificates.self_signed(tmp_path, "localhost")
    environment.setenv("AWS_CA_BUNDLE", str(certificate))
    with AwsHttpServer(lambda _head, _body: (0, BODY), context if is_encrypted else None) as aws:
        environment.setenv("AWS_ENDPOINT_URL", aws.url)
        with factories.open_app(create_app()) as app, app.app_context():
            first = resolve_customer.resolve("first")
            # From now on no other thread takes a call.
            app.extensions["aws.resolve_client"].close()
            second = resolve_customer.resolve("second")

    assert first == second


def test_new_connection_is_opened_on_another_thread(environment: pytest.MonkeyPatch) -> None:
    with AwsHttpServer(lambda _head, _body: (0, BODY)) as aws:
        environment.setenv("AWS_ENDPOINT_URL", aws.url)
        with factories.open_app(create_app()) as app, app.app_context():
            resolve_customer.resolve("first")
            app.extensions["aws.resolve_client"].close()
            aws.close_connections()

            with pytest.raises(RuntimeError, match="after shutdown"):
                resolve_customer.resolve("second")
