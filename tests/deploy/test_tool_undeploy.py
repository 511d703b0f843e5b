"""make undeploy: what runs is removed and the database kept, or deleted with a last snapshot."""

import json
from typing import Any

import pytest

from deploy import kept_template, templates
from tests.support.deploy_tool import OUTPUTS, SellerAccount
from tests.support.fake_cloudformation import Event, FakeStack, Plan, change

TEMPLATE = templates.read(templates.PRODUCTION)[1]
DATABASE = Event("Database", "AWS::RDS::DBInstance", "CREATE_COMPLETE")
SNAPSHOT = {
    "DBSnapshotIdentifier": "foyer-snapshot-database-1",
    "DBInstanceIdentifier": "database-1",
    "SnapshotCreateTime": "2026-11-29T12:00:00Z",
    "Status": "available",
}


@pytest.fixture
def stack(seller: SellerAccount) -> FakeStack:
    """A stack that runs."""
    body = templates.PRODUCTION.read_text(encoding="utf-8")
    parameters = {"DomainName": "start.acme.example", "ProductCode": "prodcode1"}
    stack = seller.cloudformation.add(
        "foyer", "UPDATE_COMPLETE", template=body, parameters=parameters, outputs=dict(OUTPUTS)
    )
    seller.cloudformation.record(stack, DATABASE)
    seller.cloudformation.changes = [change("Remove", "WebService", "AWS::ECS::Service")]
    seller.aws.give("rds.ModifyDBInstance", DBInstance={})
    seller.aws.give("rds.DescribeDBSnapshots", DBSnapshots=[SNAPSHOT])
    return stack


def test_what_holds_data_is_kept_and_what_runs_is_not() -> None:
    kept = kept_template.reduce(TEMPLATE)["Resources"]

    types = {made["Type"].split("::")[1] for made in kept.values()}
    assert types == {"EC2", "RDS", "SecretsManager", "SQS", "Events", "SES", "SNS"}
    removed = {made["Type"].split("::")[1] for name, made in TEMPLATE["Resources"].items() if name not in kept}
    assert removed >= {"ECS", "ElasticLoadBalancingV2", "IAM", "Logs", "CloudWatch", "Route53", "WAFv2"}
    assert kept["Database"] == TEMPLATE["Resources"]["Database"]


def test_kept_template_refers_to_nothing_that_it_does_not_have() -> None:
    kept = kept_template.reduce(TEMPLATE)
    names = {*kept["Resources"], *kept["Parameters"], *kept["Conditions"]}

    for part in (*kept["Resources"].values(), *kept["Outputs"].values()):
        referred = {name for name in kept_template.references(part) if not name.startswith("AWS::")}
        assert referred <= names, part
    assert kept["Parameters"] == TEMPLATE["Parameters"]
    assert set(kept["Outputs"]) >= {"KeysArn", "HandoffSecretArn", "DatabaseId", "QueueUrl"}


def test_undeploy_keeps_the_database_and_every_value(seller: SellerAccount, stack: FakeStack) -> None:
    answer = seller.run("undeploy", typed="y\n")

    assert answer.status == 0, answer.output
    assert "remove WebService (tasks)" in answer.words
    [executed] = seller.cloudformation.executed
    assert json.loads(executed.body) == kept_template.reduce(TEMPLATE)
    assert executed.parameters == {"DomainName": "start.acme.example", "ProductCode": "prodcode1"}
    assert "the database database-1" in answer.words
    assert "make deploy STACK=foyer" in answer.words
    assert seller.aws.called("rds.ModifyDBInstance") == []
    assert seller.aws.called("cloudformation.DeleteStack") == []


def test_undeploy_asks_first(seller: SellerAccount, stack: FakeStack) -> None:
    answer = seller.run("undeploy", typed="n\n")

    assert answer.status == 1
    assert "Buyers get no answer from then on" in answer.words
    assert seller.cloudformation.executed == []


def test_undeploy_twice_says_that_there_is_nothing_to_remove(seller: SellerAccount, stack: FakeStack) -> None:
    seller.cloudformation.changes = []

    answer = seller.run("undeploy")

    assert answer.status == 0
    assert "There is nothing to remove" in answer.words


def test_what_could_not_be_removed_is_named(seller: SellerAccount, stack: FakeStack) -> None:
    failed = Event("LoadBalancerSecurityGroup", "AWS::EC2::SecurityGroup", "DELETE_FAILED", "has a dependent object")
    seller.cloudformation.plans.append(Plan([[failed]]))

    answer = seller.run("undeploy", YES="1")

    assert answer.status == 1
    assert "LoadBalancerSecurityGroup: has a dependent object" in answer.words


def test_deletion_lifts_the_protection_and_names_what_is_left(seller: SellerAccount, stack: FakeStack) -> None:
    seller.cloudformation.add("foyer-image", "CREATE_COMPLETE")

    answer = seller.run("undeploy", typed="foyer\n", DATABASE="delete", YES="1")

    assert answer.status == 0, answer.output
    [modified] = seller.aws.called("rds.ModifyDBInstance")
    assert (modified["DBInstanceIdentifier"], modified["DeletionProtection"]) == ("database-1", "false")
    assert {made.status for made in seller.cloudformation.stacks.values()} == {"DELETE_COMPLETE"}
    assert "snapshot foyer-snapshot-database-1" in answer.words
    values = " ".join(f"{name}={OUTPUTS[name]}" for name in ("KeysArn", "HandoffSecretArn"))
    assert f'PARAMETERS="SnapshotId=foyer-snapshot-database-1 {values}"' in answer.output


@pytest.mark.parametrize("typed", ["y\n", "", "FOYER\n"])
def test_deletion_needs_the_stacks_name_typed(seller: SellerAccount, stack: FakeStack, typed: str) -> None:
    answer = seller.run("undeploy", typed=typed, DATABASE="delete", YES="1")

    assert answer.status == 1
    assert "That is not foyer, so nothing was changed" in answer.words
    assert seller.aws.called("rds.ModifyDBInstance") == []
    assert seller.aws.called("cloudformation.DeleteStack") == []


def test_deletion_that_fails_says_why_and_keeps_the_images(seller: SellerAccount, stack: FakeStack) -> None:
    failed = Event("Subnet1", "AWS::EC2::Subnet", "DELETE_FAILED", "The subnet has dependencies")
    seller.cloudformation.plans.append(Plan([[failed]], "DELETE_FAILED"))
    seller.cloudformation.add("foyer-image", "CREATE_COMPLETE")

    answer = seller.run("undeploy", typed="foyer\n", DATABASE="delete")

    assert answer.status == 1
    assert "Subnet1: The subnet has dependencies" in answer.words
    assert seller.cloudformation.stacks["us-east-1", "foyer-image"].status == "CREATE_COMPLETE"


def test_database_that_is_gone_does_not_stop_the_deletion(seller: SellerAccount, stack: FakeStack) -> None:
    seller.aws.fail("rds.ModifyDBInstance", "DBInstanceNotFound", "DBInstance database-1 not found")
    seller.aws.give("rds.DescribeDBSnapshots", DBSnapshots=[])

    answer = seller.run("undeploy", typed="foyer\n", DATABASE="delete")

    assert answer.status == 0, answer.output


def test_stack_that_does_not_exist_is_explained(seller: SellerAccount) -> None:
    answer = seller.run("undeploy", YES="1")

    assert answer.status == 1
    assert "There is no stack foyer in us-east-1" in answer.words


@pytest.mark.parametrize("arguments", [{}, {"DATABASE": "delete"}])
def test_stack_that_something_else_changes_is_left_alone(seller: SellerAccount, arguments: dict[str, Any]) -> None:
    seller.cloudformation.add("foyer", "UPDATE_IN_PROGRESS")

    answer = seller.run("undeploy", typed="foyer\n", **arguments)

    assert answer.status == 1
    assert "Something else changes stack foyer at the moment" in answer.words


def test_halfway_stack_is_sent_to_a_deployment_or_a_deletion(seller: SellerAccount) -> None:
    seller.cloudformation.add("foyer", "CREATE_FAILED")

    answer = seller.run("undeploy", YES="1")

    assert answer.status == 1
    assert "make undeploy STACK=foyer DATABASE=delete" in answer.words
