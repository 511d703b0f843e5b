"""A mail server for the tests that send mails."""

import pytest

from tests.support.smtp_server import FakeSmtpServer


@pytest.fixture
def mail_server() -> FakeSmtpServer:
    """The server, before it listens."""
    return FakeSmtpServer()
