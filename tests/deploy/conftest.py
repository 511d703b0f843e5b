"""A seller's AWS account in moto, with the stack and the topics of an old listing."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from sandbox.server import Sandbox
from tests.support import factories
from tests.support.cloudformation_stack import AwsClients, Stack, deploy

OLD_LISTING_TOPICS = ("aws-mp-subscription-notification-oldcode123", "aws-mp-entitlement-notification-oldcode123")


@pytest.fixture(autouse=True)
def cleared_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove the developer's proxies, which cannot reach this machine's ports."""
    factories.clear_environment(monkeypatch)


@pytest.fixture
def listing_topics(sandbox: Sandbox) -> Iterator[list[str]]:
    """The ARNs of an old listing's topics."""
    with _create_topics(sandbox, *OLD_LISTING_TOPICS) as arns:
        yield arns


@pytest.fixture
def other_topics(sandbox: Sandbox) -> Iterator[list[str]]:
    """The ARNs of another old listing's topics."""
    with _create_topics(sandbox, *(f"{name}4" for name in OLD_LISTING_TOPICS)) as arns:
        yield arns


@pytest.fixture
def stack(sandbox: Sandbox, listing_topics: list[str]) -> Iterator[Stack]:
    """The stack of a seller who has a new listing and an old one."""
    subscription, entitlement = listing_topics
    with deploy(sandbox.aws_url, TopicArn1=subscription, TopicArn2=entitlement) as stack:
        yield stack


@contextmanager
def _create_topics(sandbox: Sandbox, *names: str) -> Iterator[list[str]]:
    aws = AwsClients(sandbox.aws_url)
    arns = [aws.sns.create_topic(Name=name)["TopicArn"] for name in names]
    yield arns
    for arn in arns:
        aws.sns.delete_topic(TopicArn=arn)
    aws.close()
