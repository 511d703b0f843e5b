"""A metered product that receives hand-offs, and a seller who gets mail."""

from collections.abc import Iterator

import pytest

from tests.support.sent_mails import mail_environment
from tests.support.smtp_server import FakeSmtpServer


@pytest.fixture
def mail_server() -> FakeSmtpServer:
    """The server, before it listens."""
    return FakeSmtpServer()


@pytest.fixture
def environment(environment: pytest.MonkeyPatch, mail_server: FakeSmtpServer) -> Iterator[pytest.MonkeyPatch]:
    with mail_environment(environment, mail_server) as changed:
        yield changed
