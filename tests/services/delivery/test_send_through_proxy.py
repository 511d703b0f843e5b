"""Hand-offs through the proxy in HTTPS_PROXY: the product gets them, and what the proxy refuses is tried again."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask

from app import create_app
from app.database import transactions
from app.services.outbox import account_claim
from app.services.outbox.account_claim import Claim
from tests.support import factories, tunnel_proxy
from tests.support.certificates import self_signed
from tests.support.clock import time_passes
from tests.support.databases import on_sqlite
from tests.support.outbox_messages import outbox_messages, register_customer, send_due_handoffs
from tests.support.raw_http_server import OK_STATUS_LINE, RawServer, serve_raw

NAME = "app.acme.example"
REPLY = OK_STATUS_LINE + b'Content-Length: 25\r\n\r\n{"reference": "juniper-7"}'


@pytest.fixture
def product(environment: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[RawServer]:
    """A product whose name is unknown to this machine."""
    tls, certificate = self_signed(tmp_path, NAME)
    environment.setenv("SSL_CERT_FILE", str(certificate))
    factories.enable_handoffs(environment, f"https://{NAME}/foyer")
    environment.delenv("HANDOFF_ALLOW_PRIVATE")
    with serve_raw(REPLY, tls=tls) as running:
        yield running


def claim(app: Flask) -> Claim:
    """Return how surely the product has made an account for the only registration."""
    [message] = outbox_messages(app)
    assert message.registration_id
    with app.app_context(), transactions.current_database().read_engine.connect() as connection:
        return account_claim.of_registration(connection, None, message.registration_id)


@on_sqlite
@pytest.mark.parametrize(
    ("answer", "fault"),
    [(b"HTTP/1.1 407 No\r\n\r\n", "proxy_407"), (b"HTTP/1.1 502 No\r\n\r\n", "proxy_502"), (b"", "proxy_closed")],
)
def test_handoff_that_a_proxy_refused_is_sent_again_and_arrives(
    environment: pytest.MonkeyPatch, product: RawServer, answer: bytes, fault: str
) -> None:
    with factories.open_app(create_app()) as app:
        register_customer(app)
        with tunnel_proxy.serve(answer) as proxy:
            environment.setenv("HTTPS_PROXY", proxy.url)
            assert send_due_handoffs(app) == [False]
        [waiting] = outbox_messages(app)
        with tunnel_proxy.serve(target_port=product.port) as proxy, time_passes(seconds=60):
            environment.setenv("HTTPS_PROXY", proxy.url)
            assert send_due_handoffs(app) == [True]
        [sent] = outbox_messages(app)

    assert (waiting.outcome, waiting.fault, waiting.tries, waiting.unsure_tries) == ("waiting", fault, 1, 0)
    assert (sent.outcome, sent.fault, len(product.requests)) == ("delivered", None, 1)


def test_handoff_given_up_for_a_proxy_has_certainly_made_no_account(
    environment: pytest.MonkeyPatch, product: RawServer
) -> None:
    with tunnel_proxy.serve(b"HTTP/1.1 403 No\r\n\r\n") as proxy, factories.open_app(create_app()) as app:
        environment.setenv("HTTPS_PROXY", proxy.url)
        register_customer(app)
        send_due_handoffs(app)
        with time_passes(days=4):
            assert send_due_handoffs(app) == [True]
        [given_up] = outbox_messages(app)
        certainty = claim(app)

    assert (given_up.outcome, given_up.fault) == ("failed", "proxy_403")
    assert certainty is Claim.NONE
    assert product.connections == 0
