"""The clients' endpoints, and the search for credentials: repeated after a failure, never past the time budget."""

import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import botocore.session
import pytest

from app import create_app, deadline
from app.aws import clients, resolve_customer
from app.errors import CredentialsRefused, FoyerError
from sandbox.server import Sandbox
from tests.support import factories
from tests.support.databases import on_sqlite

pytestmark = on_sqlite


class CredentialsEndpoint(ThreadingHTTPServer):
    """The endpoint that gives a container its role's credentials. It responds 500 until `works` is set."""

    works = False

    def respond(self) -> tuple[int, str]:
        expiration = (datetime.now(UTC) + timedelta(hours=6)).strftime("%Y-%m-%dT%H:%M:%SZ")
        body = f'{{"AccessKeyId": "testing", "SecretAccessKey": "x", "Token": "t", "Expiration": "{expiration}"}}'
        return (200, body) if self.works else (500, "")


class CredentialsRequest(BaseHTTPRequestHandler):
    def do_GET(self) -> None:  # http.server's name
        assert isinstance(self.server, CredentialsEndpoint)
        status, body = self.server.respond()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def endpoint(environment: pytest.MonkeyPatch) -> Iterator[CredentialsEndpoint]:
    """The credentials endpoint of an environment without access keys."""
    server = CredentialsEndpoint(("127.0.0.1", 0), CredentialsRequest)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    environment.delenv("AWS_ACCESS_KEY_ID")
    environment.delenv("AWS_SECRET_ACCESS_KEY")
    environment.setenv("AWS_SHARED_CREDENTIALS_FILE", "nowhere")
    environment.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"http://127.0.0.1:{server.server_port}/")
    environment.setenv("AWS_METADATA_SERVICE_NUM_ATTEMPTS", "1")
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("region", ["us-east-1", "eu-central-1", "us-gov-west-1", "cn-northwest-1"])
@pytest.mark.parametrize("fips", ["false", "true"])
def test_clients_have_botocores_own_endpoints(environment: pytest.MonkeyPatch, region: str, fips: str) -> None:
    environment.delenv("AWS_ENDPOINT_URL")
    environment.setenv("AWS_REGION", region)
    environment.setenv("AWS_USE_FIPS_ENDPOINT", fips)

    with factories.open_app(create_app()) as app, app.app_context():
        aws, timeouts = clients.current(), clients.OPERATOR_TIMEOUTS
        made = [aws.metering(timeouts), aws.sqs(timeouts), aws.sesv2(timeouts), aws.sts(), aws.eventbridge()]
        made.append(aws.entitlements(timeouts))
        urls = {client.meta.service_model.service_name: client.meta.endpoint_url for client in made}
        regions = {client.meta.service_model.service_name: client.meta.region_name for client in made}

    session = botocore.session.Session()
    assert urls == {name: session.create_client(name, regions[name]).meta.endpoint_url for name in regions}


def test_profiles_role_is_assumed_in_the_settings_region(
    environment: pytest.MonkeyPatch, sandbox: Sandbox, tmp_path: Path
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        environment.delenv(name)
    config = tmp_path / "config"
    config.write_text(
        "[default]\nrole_arn = arn:aws:iam::123456789012:role/seller\nsource_profile = keys\n"
        "[profile keys]\naws_access_key_id = testing\naws_secret_access_key = testing\n"
    )
    environment.setenv("AWS_CONFIG_FILE", str(config))

    with factories.open_app(create_app()) as app, app.app_context():
        customer = resolve_customer.resolve(factories.token(sandbox))

    assert customer.product_code == factories.PRODUCT_CODE


def test_missing_credentials_are_found_once_available(endpoint: CredentialsEndpoint, sandbox: Sandbox) -> None:
    token = factories.token(sandbox)

    with factories.open_app(create_app()) as app, app.app_context():
        with pytest.raises(CredentialsRefused):
            resolve_customer.resolve(token)
        endpoint.works = True
        ends_at = time.monotonic() + 10
        resolved = False
        while not resolved and time.monotonic() < ends_at:
            with suppress(CredentialsRefused):
                resolved = resolve_customer.resolve(token).product_code == factories.PRODUCT_CODE

    assert resolved


def test_hanging_credential_search_does_not_delay_buyers(environment: pytest.MonkeyPatch) -> None:
    environment.delenv("AWS_ACCESS_KEY_ID")
    environment.delenv("AWS_SECRET_ACCESS_KEY")
    environment.setenv("AWS_SHARED_CREDENTIALS_FILE", "nowhere")

    def resolve(_: int) -> float:
        started = time.monotonic()
        with app.app_context(), pytest.raises(FoyerError):
            resolve_customer.resolve("token")
        return time.monotonic() - started

    silent = socket.create_server(("127.0.0.1", 0), backlog=64)
    environment.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"http://127.0.0.1:{silent.getsockname()[1]}/")
    with factories.open_app(create_app()) as app, ThreadPoolExecutor(4) as buyers:
        seconds = list(buyers.map(resolve, range(4)))
        silent.close()

    assert max(seconds) < deadline.REQUEST_SECONDS
