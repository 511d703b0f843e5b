"""deploy/production.yaml made in moto, as far as moto has what it makes: every reference in it leads to a resource.

moto says CREATE_COMPLETE of much that AWS would refuse, so this proves references and names, and not that it works.
"""

import copy
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from moto.cloudformation import parsing

from sandbox.server import Sandbox
from tests.support import moto_cloudformation, templates
from tests.support.cloudformation_stack import AwsClients

STACK = "foyer-production"
IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/foyer:1"
DOMAIN = "start.acme.example"
# moto's CloudFormation does not make these, and says nothing: what refers to them gets the text of this table.
LACKING: dict[str, str | None] = {
    "AWS::SecretsManager::Secret": "arn:aws:secretsmanager:us-east-1:123456789012:secret:made-before",
    "AWS::CertificateManager::Certificate": None,
    "AWS::WAFv2::WebACL": "arn:aws:wafv2:us-east-1:123456789012:regional/webacl/made-before/1",
    "AWS::WAFv2::WebACLAssociation": None,
    "AWS::Logs::MetricFilter": None,
}
# moto's load balancer does not have these attributes.
LACKING_ATTRIBUTES = {
    ("LoadBalancer", "CanonicalHostedZoneID"): "Z35SXDOTRQ7X7K",
    ("LoadBalancer", "LoadBalancerFullName"): "app/foyer/50dc6c495c0c9188",
}
# The stack's parameters leave these conditions unmet.
UNMET = {"HasTopic1", "HasTopic2", "HasTopic3", "HasTopic4", "HasConfigurationSet", "HasAlarmEmail", "MakesCertificate"}
# moto makes these, and lists them without their names.
NAMELESS = {"DatabaseSubnets", "DatabaseParameters"}
# An attribute with a dot in its name, which moto does not find in a text.
DOTTED_ATTRIBUTE = re.compile(r"\$\{(\w+)\.(\w+\.\w+)\}")
assert moto_cloudformation  # importing it registers the types that moto lacks and these tests add


@pytest.fixture(scope="module")
def aws(running_sandbox: Sandbox) -> Iterator[AwsClients]:
    clients = AwsClients(running_sandbox.aws_url)
    yield clients
    clients.close()


@pytest.fixture(scope="module")
def template() -> dict[str, Any]:
    """The template without the resources of LACKING, and without references to them."""
    template: dict[str, Any] = copy.deepcopy(templates.load(templates.PRODUCTION))
    resources = template["Resources"]
    texts = {name: text for name, made in resources.items() if (text := LACKING.get(made["Type"]))}
    for name in [name for name, made in resources.items() if made["Type"] in LACKING]:
        del resources[name]
    # moto takes the group itself for its name: "'DBParameterGroup' object has no attribute 'startswith'".
    del resources["Database"]["Properties"]["DBParameterGroupName"]
    return dict(adapt(template, texts))


@pytest.fixture(scope="module")
def made(aws: AwsClients, template: dict[str, Any]) -> dict[str, str]:
    """The physical id of each resource of the stack by its name."""
    # moto cannot delete a stack with a VPC: it stays, with names that no other test uses.
    return create_stack(aws, template)


def adapt(part: Any, texts: dict[str, str]) -> Any:
    """Return the part with these texts in place of references to the resources with those names."""
    if isinstance(part, list):
        return [adapt(value, texts) for value in part]
    if isinstance(part, str):
        return re.sub(r"\$\{(\w+)\}", lambda found: texts.get(found[1], found[0]), part)
    if not isinstance(part, dict):
        return part
    match part:
        case {"Ref": name} | {"Fn::GetAtt": [name, *_]} if name in texts:
            return texts[name]
        case {"Fn::GetAtt": [*path]} if tuple(path) in LACKING_ATTRIBUTES:
            return LACKING_ATTRIBUTES[tuple(path)]
        case {"Fn::Sub": str(text)} if DOTTED_ATTRIBUTE.search(text):
            part = {"Fn::Sub": name_attributes(text)}
    return {key: adapt(value, texts) for key, value in part.items()}


def name_attributes(text: str) -> list[Any]:
    """Return the arguments of a Sub in which each attribute with a dot in its name is a variable without one."""
    paths = DOTTED_ATTRIBUTE.findall(text)
    names = {path: "".join(path).replace(".", "") for path in paths}
    short = DOTTED_ATTRIBUTE.sub(lambda found: f"${{{names[found.groups()]}}}", text)
    return [short, {names[path]: {"Fn::GetAtt": list(path)} for path in paths}]


def create_stack(aws: AwsClients, template: dict[str, Any]) -> dict[str, str]:
    """Create the stack; return the physical id of each resource by its name."""
    certificate = aws.client("acm").request_certificate(DomainName=DOMAIN)["CertificateArn"]
    zone = aws.client("route53").create_hosted_zone(Name="acme.example", CallerReference=certificate)
    given = {
        "DomainName": DOMAIN,
        "ZoneId": zone["HostedZone"]["Id"].rpartition("/")[2],
        "CertificateArn": certificate,
        "Image": IMAGE,
        "ProductCode": "prodcode1234567890",
        # Not the default name: another test of this process may have made that queue.
        "QueueName": "production-events",
    }
    aws.cloudformation.create_stack(
        StackName=STACK,
        TemplateBody=json.dumps(template),
        Parameters=[{"ParameterKey": name, "ParameterValue": value} for name, value in given.items()],
        Capabilities=["CAPABILITY_IAM"],
    )
    [stack] = aws.cloudformation.describe_stacks(StackName=STACK)["Stacks"]
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    made = aws.cloudformation.describe_stack_resources(StackName=STACK)["StackResources"]
    return {
        resource["LogicalResourceId"]: resource["PhysicalResourceId"]
        for resource in made
        if {"LogicalResourceId", "PhysicalResourceId"} <= resource.keys()
    }


def test_moto_lacks_exactly_these_types() -> None:
    types = {made["Type"] for made in templates.load(templates.PRODUCTION)["Resources"].values()}

    assert types - parsing.get_model_map().keys() == set(LACKING)


def test_every_other_resource_is_made(template: dict[str, Any], made: dict[str, str]) -> None:
    wanted = {name for name, described in template["Resources"].items() if described.get("Condition") not in UNMET}

    assert wanted - made.keys() == NAMELESS
    assert made.keys() <= wanted


def test_services_run_the_two_task_definitions(aws: AwsClients, made: dict[str, str]) -> None:
    ecs = aws.client("ecs")
    services = ecs.describe_services(cluster=made["Cluster"], services=[made["WebService"], made["WorkerService"]])
    tasks = {service["taskDefinition"]: service for service in services["services"]}
    assert set(tasks) == {made["WebTask"], made["WorkerTask"]}


def test_load_balancer_and_database_are_in_the_new_network(aws: AwsClients, made: dict[str, str]) -> None:
    [balancer] = aws.client("elbv2").describe_load_balancers(LoadBalancerArns=[made["LoadBalancer"]])["LoadBalancers"]
    [database] = aws.client("rds").describe_db_instances(DBInstanceIdentifier=made["Database"])["DBInstances"]

    assert {zone["SubnetId"] for zone in balancer["AvailabilityZones"]} == {made["Subnet1"], made["Subnet2"]}
    assert balancer["VpcId"] == database["DBSubnetGroup"]["VpcId"] == made["Network"]


def test_containers_find_the_queue_and_the_database(aws: AwsClients, made: dict[str, str]) -> None:
    task = aws.client("ecs").describe_task_definition(taskDefinition=made["WorkerTask"])["taskDefinition"]
    [worker] = task["containerDefinitions"]
    environment = {given["name"]: given["value"] for given in worker["environment"]}
    [database] = aws.client("rds").describe_db_instances(DBInstanceIdentifier=made["Database"])["DBInstances"]
    assert environment["EVENTS_QUEUE_URL"] == made["EventsQueue"]
    assert f"@{database['Endpoint']['Address']}:{database['Endpoint']['Port']}/foyer" in environment["DATABASE_URL"]
    assert worker["image"] == IMAGE
    assert {secret["name"] for secret in worker["secrets"]} >= {"SECRET_KEY", "HANDOFF_SECRET", "DATABASE_PASSWORD"}
