"""The stack of deploy/template.yaml, for the doctor's checks of the events queue."""

from collections.abc import Iterator

import pytest

from sandbox.server import Sandbox
from tests.support.cloudformation_stack import Stack, deploy


@pytest.fixture
def stack(environment: pytest.MonkeyPatch, sandbox: Sandbox) -> Iterator[Stack]:
    """The deployed stack, with EVENTS_QUEUE_URL set to its queue."""
    with deploy(sandbox.aws_url) as stack:
        environment.setenv("EVENTS_QUEUE_URL", stack.queue_url)
        yield stack
