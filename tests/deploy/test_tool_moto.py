"""make deploy against moto's CloudFormation and ECR, which make what they know of the templates.

moto gives no outputs to a stack that a change set made, and updates resources that have not changed: those are made
here without the tool.
"""

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from deploy import kept_template, templates
from tests.support import certificates, fake_docker, moto_production
from tests.support.cloudformation_stack import AwsClients
from tests.support.deploy_tool import FIRST, OUTPUTS, SellerAccount
from tests.support.fake_cloudformation import Plan

QUEUE = "moto-events"


@pytest.fixture(scope="module")
def production(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """production.yaml as moto can make it."""
    return moto_production.write(tmp_path_factory.mktemp("moto") / "production.json")


@pytest.fixture
def certificate(aws_clients: AwsClients, tmp_path: Path) -> Iterator[str]:
    """The ARN of a certificate that the load balancer can use."""
    _, file = certificates.self_signed(tmp_path, "start.acme.example")
    key = (tmp_path / "key.pem").read_bytes()
    acm = aws_clients.client("acm")
    yield acm.import_certificate(Certificate=file.read_bytes(), PrivateKey=key)["CertificateArn"]
    events, sqs = aws_clients.events, aws_clients.sqs
    # moto deletes no stack with a network; these would take part in other tests.
    with suppress(ClientError):
        events.remove_targets(Rule=QUEUE, Ids=["events-queue"])
        events.delete_rule(Name=QUEUE)
    for name in (QUEUE, f"{QUEUE}-dead-letters"):
        with suppress(ClientError):
            sqs.delete_queue(QueueUrl=sqs.get_queue_url(QueueName=name)["QueueUrl"])


def use_moto(seller: SellerAccount) -> None:
    """Let moto answer for CloudFormation."""
    for operation in list(seller.aws.answers):
        if operation.startswith("cloudformation."):
            del seller.aws.answers[operation]


def test_change_set_makes_every_resource_that_moto_knows(
    seller: SellerAccount, production: Path, aws_clients: AwsClients, certificate: str
) -> None:
    use_moto(seller)
    parameters = FIRST["PARAMETERS"].partition(" ")[2].replace("acme-events", QUEUE)

    answer = seller.deploy(
        YES="1", STACK="moto", TEMPLATE=str(production), PARAMETERS=f"CertificateArn={certificate} {parameters}"
    )

    assert "AWS works" in answer.words, answer.output
    [stack] = aws_clients.cloudformation.describe_stacks(StackName="moto")["Stacks"]
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    ecs = aws_clients.client("ecs")
    [web] = ecs.list_task_definitions(familyPrefix="moto-web")["taskDefinitionArns"]
    definition = ecs.describe_task_definition(taskDefinition=web)["taskDefinition"]
    environment = {item["name"]: item["value"] for item in definition["containerDefinitions"][1]["environment"]}
    assert environment["SITE_URL"] == "https://start.acme.example"
    assert environment["PRODUCT_NAME"] == "Acme Insights"
    assert environment["EVENTS_QUEUE_URL"].endswith(f"/{QUEUE}")


def test_what_undeploy_keeps_can_be_made_by_itself(production: Path, aws_clients: AwsClients, certificate: str) -> None:
    kept = kept_template.reduce(templates.parse(production.read_text(encoding="utf-8")))
    values = {"DomainName": "start.acme.example", "Image": "x", "ProductCode": "c", "QueueName": QUEUE}
    values["CertificateArn"] = certificate

    aws_clients.cloudformation.create_stack(
        StackName="moto-kept",
        TemplateBody=json.dumps(kept),
        Parameters=[{"ParameterKey": name, "ParameterValue": value} for name, value in values.items()],
        Capabilities=["CAPABILITY_IAM"],
    )

    [stack] = aws_clients.cloudformation.describe_stacks(StackName="moto-kept")["Stacks"]
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    outputs = {made["OutputKey"] for made in stack["Outputs"]}
    assert outputs >= {"KeysArn", "HandoffSecretArn", "DatabaseId", "QueueUrl", "TaskSubnets"}


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
