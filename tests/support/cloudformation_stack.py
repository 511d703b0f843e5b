"""Deploys deploy/template.yaml into moto over real HTTP, as a seller deploys it into AWS."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

from tests.support import moto_cloudformation

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sqs import SQSClient

TEMPLATE = Path(__file__).parents[2] / "deploy" / "template.yaml"
ACCOUNT_ID = "123456789012"
STACK_NAME = "foyer"
# Not the default name: another test of this process may have created that queue.
QUEUE_NAME = "acme-events"

assert moto_cloudformation  # importing it registers the resource types that moto lacks


class AwsClients:
    """The seller's boto3 clients of one AWS endpoint, created on first use."""

    def __init__(self, url: str, access_key: str = "seller") -> None:
        self._url, self._access_key = url, access_key
        self._clients: list[Any] = []

    def client(self, service: str) -> Any:
        credentials = {"aws_access_key_id": self._access_key, "aws_secret_access_key": "seller"}
        config = Config(region_name="us-east-1", retries={"total_max_attempts": 1})
        self._clients.append(boto3.client(service, endpoint_url=self._url, config=config, **credentials))  # type: ignore[call-overload]
        return self._clients[-1]

    def close(self) -> None:
        while self._clients:
            self._clients.pop().close()

    @cached_property
    def cloudformation(self) -> "CloudFormationClient":
        client: CloudFormationClient = self.client("cloudformation")
        return client

    @cached_property
    def events(self) -> "EventBridgeClient":
        client: EventBridgeClient = self.client("events")
        return client

    @cached_property
    def sns(self) -> "SNSClient":
        client: SNSClient = self.client("sns")
        return client

    @cached_property
    def sqs(self) -> "SQSClient":
        client: SQSClient = self.client("sqs")
        return client


@dataclass(frozen=True)
class Stack:
    """The deployed stack: its outputs, and clients of the account it is in."""

    aws: AwsClients
    outputs: dict[str, str]

    @property
    def queue_url(self) -> str:
        """The value for EVENTS_QUEUE_URL."""
        return self.outputs["QueueUrl"]

    @property
    def queue_arn(self) -> str:
        return f"arn:aws:sqs:us-east-1:{ACCOUNT_ID}:{QUEUE_NAME}"

    @property
    def dead_letter_queue_url(self) -> str:
        return self.outputs["DeadLetterQueueUrl"]

    def queue_attributes(self, queue_url: str) -> dict[str, Any]:
        """Return a queue's attributes, with those in JSON decoded."""
        attributes = self.aws.sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["All"])["Attributes"]
        return {name: json.loads(value) if value[0] in "{[" else value for name, value in attributes.items()}

    def put_event(self, source: str, detail_type: str, detail: dict[str, Any], *resources: str) -> None:
        """Send an event to the account's default event bus."""
        entry: Any = {"Source": source, "DetailType": detail_type, "Detail": json.dumps(detail), "Resources": resources}
        assert self.aws.events.put_events(Entries=[entry])["FailedEntryCount"] == 0

    def receive_all(self) -> list[Any]:
        """Receive every visible message of the queue and return the decoded bodies."""
        bodies = []
        while batch := self._receive():
            bodies += batch
        return bodies

    def _receive(self) -> list[Any]:
        response = self.aws.sqs.receive_message(QueueUrl=self.queue_url, MaxNumberOfMessages=10, WaitTimeSeconds=0)
        return [json.loads(message["Body"]) for message in response.get("Messages", [])]


@contextmanager
def deploy(aws_url: str, **parameters: str) -> Iterator[Stack]:
    """Create the stack with these parameters, yield it, and delete it."""
    aws = AwsClients(aws_url)
    try:
        yield Stack(aws, _create_stack(aws, {"QueueName": QUEUE_NAME, **parameters}))
    finally:
        aws.cloudformation.delete_stack(StackName=STACK_NAME)
        aws.close()


def _create_stack(aws: AwsClients, parameters: dict[str, str]) -> dict[str, str]:
    aws.cloudformation.create_stack(
        StackName=STACK_NAME,
        TemplateBody=TEMPLATE.read_text(encoding="utf-8"),
        Parameters=[{"ParameterKey": name, "ParameterValue": value} for name, value in parameters.items()],
        Capabilities=["CAPABILITY_IAM"],
    )
    [stack] = aws.cloudformation.describe_stacks(StackName=STACK_NAME)["Stacks"]
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
