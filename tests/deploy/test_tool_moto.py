"""make deploy against moto's CloudFormation and ECR, which make what they know of the templates.

moto gives no outputs to a stack that a change set made, so the doctor cannot run there.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy import templates
from tests.support import fake_docker
from tests.support.cloudformation_stack import AwsClients
from tests.support.deploy_tool import FIRST, OUTPUTS, SellerAccount
from tests.support.fake_cloudformation import Plan

STACK, QUEUE = "moto", "moto-events"
# What moto makes without help, and deletes again.
RESOURCES = ("EventsQueue", "DeadLetterQueue", "QueuePolicy", "EventRule", "Cluster", "Logs", "AlarmTopic")


@pytest.fixture
def template(tmp_path: Path, aws_clients: AwsClients) -> Iterator[Path]:
    """A part of production.yaml; its stack is deleted afterwards."""
    _, template = templates.read(templates.PRODUCTION)
    resources = {name: template["Resources"][name] for name in RESOURCES}
    path = tmp_path / "part.yaml"
    path.write_text(json.dumps({**template, "Resources": resources, "Outputs": {}}), encoding="utf-8")
    yield path
    aws_clients.cloudformation.delete_stack(StackName=STACK)


def test_change_set_of_the_tool_makes_the_resources_in_moto(
    seller: SellerAccount, template: Path, aws_clients: AwsClients
) -> None:
    for operation in list(seller.aws.answers):
        if operation.startswith("cloudformation."):
            del seller.aws.answers[operation]
    parameters = FIRST["PARAMETERS"].replace("acme-events", QUEUE)

    answer = seller.deploy(YES="1", STACK=STACK, TEMPLATE=str(template), PARAMETERS=parameters)

    assert "has no output ClusterName" in answer.words
    [stack] = aws_clients.cloudformation.describe_stacks(StackName=STACK)["Stacks"]
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    made = aws_clients.cloudformation.list_stack_resources(StackName=STACK)["StackResourceSummaries"]
    assert {resource["LogicalResourceId"] for resource in made} == set(RESOURCES)
    assert aws_clients.sqs.get_queue_url(QueueName=QUEUE)["QueueUrl"]


def test_image_is_pushed_into_the_repository_that_moto_made(seller: SellerAccount, aws_clients: AwsClients) -> None:
    docker = fake_docker.install(Path(seller.environment["PATH"]))
    template = templates.read(templates.REGISTRY)[1]
    # moto's own names have capital letters, which ECR does not allow.
    template["Resources"]["Images"]["Properties"]["RepositoryName"] = "pushed-image"
    body = json.dumps(template)
    aws_clients.cloudformation.create_stack(StackName="pushed-image", TemplateBody=body)
    [made] = aws_clients.cloudformation.describe_stacks(StackName="pushed-image")["Stacks"]
    outputs = {item["OutputKey"]: item["OutputValue"] for item in made["Outputs"]}
    seller.cloudformation.add("pushed-image", "CREATE_COMPLETE", outputs=outputs)
    seller.cloudformation.plans.append(Plan([], outputs=dict(OUTPUTS)))

    answer = seller.deploy(YES="1", STACK="pushed", IMAGE="")
    repository = aws_clients.client("ecr").describe_repositories(repositoryNames=[outputs["RepositoryName"]])
    aws_clients.cloudformation.delete_stack(StackName="pushed-image")

    assert answer.status == 0, answer.output
    assert docker.commands[0] == "login"
    assert seller.cloudformation.executed[0].parameters["Image"].startswith(f"{outputs['RepositoryUri']}:")
    assert repository["repositories"][0]["imageTagMutability"] == "IMMUTABLE"


def test_repository_scans_images_and_can_be_deleted_with_them() -> None:
    properties = templates.read(templates.REGISTRY)[1]["Resources"]["Images"]["Properties"]

    assert properties["ImageScanningConfiguration"] == {"ScanOnPush": True}
    assert properties["EmptyOnDelete"] is True
    [rule] = json.loads(properties["LifecyclePolicy"]["LifecyclePolicyText"])["rules"]
    assert rule["selection"]["countNumber"] == 30
