"""A seller's AWS account, with the stack in it and the topics of an old listing."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from sandbox.server import Sandbox
from tests import factories
from tests.deploy.stack import Aws, Stack, deployed

OLD_LISTING = ("aws-mp-subscription-notification-oldcode123", "aws-mp-entitlement-notification-oldcode123")


@pytest.fixture(autouse=True)
def own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs the tests may have a proxy, which knows nothing of this machine's ports."""
    factories.clear_environment(monkeypatch)


@pytest.fixture
def topics(sandbox: Sandbox) -> Iterator[list[str]]:
    """The ARNs of an old listing's topics."""
    with _topics(sandbox, *OLD_LISTING) as arns:
        yield arns


@pytest.fixture
def more(sandbox: Sandbox) -> Iterator[list[str]]:
    """The ARNs of another old listing's topics."""
    with _topics(sandbox, *(f"{name}4" for name in OLD_LISTING)) as arns:
        yield arns


@pytest.fixture
def stack(sandbox: Sandbox, topics: list[str]) -> Iterator[Stack]:
    """The stack of a seller who has a new listing and an old one."""
    subscription, entitlement = topics
    with deployed(sandbox.aws_url, TopicArn1=subscription, TopicArn2=entitlement) as stack:
        yield stack


@contextmanager
def _topics(sandbox: Sandbox, *names: str) -> Iterator[list[str]]:
    aws = Aws(sandbox.aws_url)
    arns = [aws.sns.create_topic(Name=name)["TopicArn"] for name in names]
    yield arns
    for arn in arns:
        aws.sns.delete_topic(TopicArn=arn)
    aws.close()
