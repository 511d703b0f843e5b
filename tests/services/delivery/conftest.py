"""What the tests of mailing share."""

import pytest

from tests.support.smtp_server import FakeSmtpServer


@pytest.fixture
def mail_server() -> FakeSmtpServer:
    """The mail server's."""
    return FakeSmtpServer()
