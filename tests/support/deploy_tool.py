"""Runs the deploy tool against an AWS account that a test has made, as make runs it: with variables."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from deploy import templates
from deploy.__main__ import program
from tests.support.fake_aws_account import FakeAwsAccount
from tests.support.fake_cloudformation import FakeCloudFormation

IMAGE = "ghcr.io/acme/foyer:1"
# What a first deployment names; the certificate exists already.
# Not the default queue, which the sandbox has.
FIRST = {
    "PRODUCT_CODE": "prodcode1234567890",
    "DOMAIN": "start.acme.example",
    "IMAGE": IMAGE,
    "PARAMETERS": "CertificateArn=arn:aws:acm:us-east-1:123456789012:certificate/1 ProductName='Acme Insights' "
    "SignInUrl=https://app.acme.example/login SupportEmail=help@acme.example QueueName=acme-events",
}
OUTPUTS = {
    "FulfillmentUrl": "https://start.acme.example/",
    "DnsRecord": "start.acme.example CNAME foyer-1.us-east-1.elb.amazonaws.com",
    "LogsUrl": "https://us-east-1.console.aws.amazon.com/cloudwatch/home#logs",
    "LogGroup": "/foyer/foyer",
    "ClusterName": "foyer-cluster",
    "WorkerTaskDefinition": "arn:aws:ecs:us-east-1:123456789012:task-definition/foyer-worker:1",
    "TaskSubnets": "subnet-1,subnet-2",
    "TaskSecurityGroup": "sg-1",
    "TaskPublicIp": "ENABLED",
    "KeysArn": "arn:aws:secretsmanager:us-east-1:123456789012:secret:keys",
    "HandoffSecretArn": "arn:aws:secretsmanager:us-east-1:123456789012:secret:handoff",
    "DatabaseId": "database-1",
    "QueueUrl": "https://sqs.us-east-1.amazonaws.com/123456789012/foyer-events",
    "PolicyArn": "arn:aws:iam::123456789012:policy/foyer",
}
TASK_ARN = "arn:aws:ecs:us-east-1:123456789012:task/foyer-cluster/0123456789abcdef"


# Enough for the tool; the whole template takes seconds to check.
SMALL_RESOURCES = ("Database", "Certificate", "Cluster", "WebService", "EventsQueue")


def write_small_template(path: Path) -> Path:
    """Write a template with the parameters and outputs of production.yaml, and few of its resources."""
    _, template = templates.read(templates.PRODUCTION)
    resources = {name: template["Resources"][name] for name in SMALL_RESOURCES}
    path.write_text(json.dumps({**template, "Resources": resources}), encoding="utf-8")
    return path


@dataclass(frozen=True)
class Answer:
    """How a command ended, and what it printed, on one line in `words`."""

    status: int
    output: str

    @property
    def words(self) -> str:
        return " ".join(self.output.split())


@dataclass
class SellerAccount:
    """A seller's AWS account, and the folder in which make runs."""

    aws: FakeAwsAccount
    cloudformation: FakeCloudFormation
    environment: dict[str, str]

    def run(self, command: str, typed: str = "", **variables: str) -> Answer:
        """Run deploy, undeploy or run with these variables of make."""
        environment = {**self.environment, "STACK": "foyer", **variables}
        result = CliRunner(env=environment).invoke(program, [command], input=typed)
        assert not result.exception or isinstance(result.exception, SystemExit), result.exc_info
        return Answer(result.exit_code, result.output)

    def deploy(self, typed: str = "", **variables: str) -> Answer:
        """Deploy as the first time."""
        return self.run("deploy", typed, **{**FIRST, **variables})

    def will_run(self, *lines: str, exit_code: int | None = 0, **task: Any) -> None:
        """Let the next one-off tasks print these lines and end so; with None they do not start."""
        container: dict[str, Any] = {"name": "worker"} | ({} if exit_code is None else {"exitCode": exit_code})
        container |= task.pop("container", {})
        self.aws.give("ecs.RunTask", tasks=[{"taskArn": TASK_ARN}], failures=[])
        self.aws.give(
            "ecs.DescribeTasks",
            tasks=[{"taskArn": TASK_ARN, "lastStatus": "STOPPED", "containers": [container], **task}],
        )
        self.will_log(*lines)

    def will_log(self, *lines: str) -> None:
        """Let every log stream have these lines."""

        def answer(call: Any) -> dict[str, Any]:
            events = [] if "nextToken" in call.parameters else [{"message": line} for line in lines]
            return {"events": events, "nextForwardToken": "f/1"}

        self.aws.answers["logs.GetLogEvents"] = answer


@contextmanager
def seller_account(moto_url: str, template: Path, programs: Path) -> Iterator[SellerAccount]:
    """Yield an account in which everything succeeds; programs that build images are looked for only in that folder."""
    with FakeAwsAccount(moto_url) as aws:
        cloudformation = FakeCloudFormation(aws)
        environment = {
            "AWS_ENDPOINT_URL": aws.url,
            "AWS_ACCESS_KEY_ID": "seller",
            "AWS_SECRET_ACCESS_KEY": "seller",
            "DEPLOY_POLL_SECONDS": "0",
            "PATH": str(programs),
            "TEMPLATE": str(template),
            "COLUMNS": "80",
        }
        aws.give("marketplace-catalog.ListEntities", EntitySummaryList=[{"EntityId": "prod-1"}])
        aws.give("ecs.ListTasks", taskArns=[])
        account = SellerAccount(aws, cloudformation, environment)
        account.will_run("ok    settings         all")
        yield account
