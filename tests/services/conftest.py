"""What the tests of mailing share."""

import pytest

from tests.post import Post


@pytest.fixture
def clerk() -> Post:
    """The mail server's."""
    return Post()
