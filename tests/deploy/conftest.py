"""A seller's AWS account in moto, with the stack and the topics of an old listing."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sandbox.server import Sandbox
from tests.support import factories
from tests.support.cloudformation_stack import AwsClients, Stack, deploy
from tests.support.deploy_tool import SellerAccount, seller_account, write_small_template

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


@pytest.fixture(scope="session")
def small_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A template with few resources."""
    return write_small_template(tmp_path_factory.mktemp("template") / "small.yaml")


@pytest.fixture
def seller(sandbox: Sandbox, small_template: Path, tmp_path: Path) -> Iterator[SellerAccount]:
    """A seller's AWS account, without stacks, and no program to build images with."""
    with seller_account(sandbox.aws_url, small_template, tmp_path / "bin") as account:
        yield account


@pytest.fixture
def aws_clients(sandbox: Sandbox) -> Iterator[AwsClients]:
    """Clients of the account in moto."""
    aws = AwsClients(sandbox.aws_url)
    yield aws
    aws.close()
