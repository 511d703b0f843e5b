"""make deploy: what it asks, sends to CloudFormation, and prints when all goes well or nothing is to do."""

from pathlib import Path

import pytest

from deploy import templates
from tests.support.deploy_tool import IMAGE, OUTPUTS, SellerAccount
from tests.support.fake_cloudformation import EVENTS_OF_A_PAGE, Event, FakeStack, Plan, change

DATABASE = ("Database", "AWS::RDS::DBInstance")
DEPLOYED = {"DomainName": "start.acme.example", "ProductCode": "prodcode1", "Image": IMAGE, "QueueName": "acme-events"}
DEPLOYED |= {"CertificateArn": "arn:aws:acm:us-east-1:123456789012:certificate/1", "SnapshotId": ""}


@pytest.fixture
def stack(seller: SellerAccount) -> FakeStack:
    """A stack that was deployed before."""
    return seller.cloudformation.add("foyer", "CREATE_COMPLETE", parameters=dict(DEPLOYED), outputs=dict(OUTPUTS))


def will_succeed(seller: SellerAccount) -> None:
    """Let the database take five minutes."""
    steps = [[Event(*DATABASE, "CREATE_IN_PROGRESS")], [Event(*DATABASE, "CREATE_COMPLETE", seconds=300)]]
    seller.cloudformation.plans.append(Plan(steps, outputs=dict(OUTPUTS)))


def test_first_deployment_ends_with_the_url_for_the_listing(seller: SellerAccount) -> None:
    will_succeed(seller)

    answer = seller.deploy(typed="y\n")

    assert answer.status == 0, answer.output
    assert "made Database 5 min 0 s" in answer.words
    assert "ok settings all" in answer.words
    assert "Fulfillment URL for your listing: https://start.acme.example/" in answer.words
    assert "start.acme.example CNAME foyer-1.us-east-1.elb.amazonaws.com" in answer.output
    assert 'make remote STACK=foyer ARGS="doctor"' in answer.output
    assert seller.aws.called("ecs.RunTask")[0]["overrides"]["containerOverrides"][0]["command"] == ["foyer", "doctor"]


def test_first_deployment_sends_what_was_asked_for(seller: SellerAccount) -> None:
    will_succeed(seller)

    seller.deploy(typed="y\n", ALARM_EMAIL="ops@acme.example")

    [executed] = seller.cloudformation.executed
    assert executed.parameters["DomainName"] == "start.acme.example"
    assert executed.parameters["ProductName"] == "Acme Insights"
    assert executed.parameters["AlarmEmail"] == "ops@acme.example"
    assert executed.parameters["Image"] == IMAGE
    [sent] = seller.aws.called("cloudformation.CreateChangeSet")
    assert sent["Capabilities.member.1"] == "CAPABILITY_IAM"
    # What was made is kept, so that the next run goes on from there.
    assert sent["OnStackFailure"] == "DO_NOTHING"


def test_whole_template_is_checked_counted_and_sent(seller: SellerAccount) -> None:
    will_succeed(seller)

    answer = seller.deploy(typed="y\n", TEMPLATE=str(templates.PRODUCTION))

    assert answer.status == 0, answer.output
    resources = templates.read(templates.PRODUCTION)[1]["Resources"]
    assert f"{len(resources)} resources are added" in answer.output
    assert "add 1 database" in answer.words
    assert seller.cloudformation.executed[0].body == templates.PRODUCTION.read_text(encoding="utf-8")


def test_answer_no_changes_nothing_and_leaves_no_stack(seller: SellerAccount) -> None:
    answer = seller.deploy(typed="n\n")

    assert answer.status == 1
    assert "Nothing was changed" in answer.output
    assert seller.cloudformation.stacks == {}
    assert seller.cloudformation.executed == []


def test_history_of_a_stack_is_neither_read_nor_printed(seller: SellerAccount, stack: FakeStack) -> None:
    for number in range(2 * EVENTS_OF_A_PAGE):
        seller.cloudformation.record(stack, Event(f"Earlier{number}", "AWS::SQS::Queue", "UPDATE_COMPLETE"))
    will_succeed(seller)

    answer = seller.deploy(typed="y\n")

    assert answer.status == 0, answer.output
    assert "made Database 5 min 0 s" in answer.words
    assert "Earlier" not in answer.output
    assert all("NextToken" not in call for call in seller.aws.called("cloudformation.DescribeStackEvents"))


def test_nobody_to_ask_changes_nothing_and_names_yes(seller: SellerAccount) -> None:
    answer = seller.deploy()

    assert answer.status == 1
    assert "add YES=1" in answer.output
    assert seller.cloudformation.stacks == {}


def test_yes_answers_the_question(seller: SellerAccount) -> None:
    will_succeed(seller)

    assert seller.deploy(YES="1").status == 0


def test_update_keeps_every_value_that_is_not_given(seller: SellerAccount, stack: FakeStack) -> None:
    seller.cloudformation.changes = [change("Modify", "WebService", "AWS::ECS::Service", causes=["TaskDefinition"])]

    answer = seller.run("deploy", YES="1", IMAGE=f"{IMAGE}2", PARAMETERS="WebTasks=3")

    assert answer.status == 0, answer.output
    assert "change WebService (tasks): TaskDefinition" in answer.words
    assert stack.parameters == DEPLOYED | {"Image": f"{IMAGE}2", "WebTasks": "3"}
    [sent] = seller.aws.called("cloudformation.CreateChangeSet")
    kept = [sent[key.replace("UsePreviousValue", "ParameterKey")] for key in sent if key.endswith("UsePreviousValue")]
    assert set(kept) == DEPLOYED.keys() - {"Image"}


def test_doctor_runs_even_if_nothing_has_changed(seller: SellerAccount, stack: FakeStack) -> None:
    seller.cloudformation.changes = []

    answer = seller.run("deploy", IMAGE=IMAGE)

    assert answer.status == 0, answer.output
    assert "Nothing has changed" in answer.output
    assert "ok settings all" in answer.words
    assert seller.cloudformation.executed == []


def test_new_task_definition_is_a_change_and_not_a_replacement(seller: SellerAccount, stack: FakeStack) -> None:
    seller.cloudformation.changes = [change("Modify", "WebTask", "AWS::ECS::TaskDefinition", "True", ["Image"])]

    answer = seller.run("deploy", YES="1", IMAGE=IMAGE)

    assert "change WebTask (task definition): Image" in answer.words
    assert "REPLACE" not in answer.output


def test_doctor_that_finds_a_fault_fails_the_deployment(seller: SellerAccount) -> None:
    will_succeed(seller)
    seller.will_run("FAIL  ResolveCustomer  AccessDenied: attach the policy", exit_code=1)

    answer = seller.deploy(YES="1")

    assert answer.status == 1
    assert "FAIL ResolveCustomer AccessDenied" in answer.words
    assert "the doctor found something that has to be mended" in answer.output


@pytest.mark.parametrize("what", ["True", "remove"])
def test_loss_of_the_database_is_refused(seller: SellerAccount, stack: FakeStack, what: str) -> None:
    lost = change("Remove", *DATABASE) if what == "remove" else change("Modify", *DATABASE, what, ["DBSubnetGroupName"])
    seller.cloudformation.changes = [lost]

    answer = seller.run("deploy", typed="foyer\n", YES="1", IMAGE=IMAGE)

    assert answer.status == 1
    assert "the database, with everything in it" in answer.words
    assert seller.cloudformation.executed == []
    assert stack.status == "CREATE_COMPLETE"


@pytest.mark.parametrize(("typed", "status", "executed"), [("foyer\n", 0, 1), ("yes\n", 1, 0), ("", 1, 0)])
def test_database_of_a_snapshot_needs_the_stacks_name_typed(
    seller: SellerAccount, stack: FakeStack, typed: str, status: int, executed: int
) -> None:
    seller.cloudformation.changes = [change("Modify", *DATABASE, "True", ["DBSnapshotIdentifier"])]

    answer = seller.run("deploy", typed=typed, YES="1", IMAGE=IMAGE, PARAMETERS="SnapshotId=before-the-mistake")

    assert "made from the snapshot before-the-mistake" in answer.words
    assert answer.status == status
    assert len(seller.cloudformation.executed) == executed


def test_database_that_may_be_replaced_needs_the_name_typed(seller: SellerAccount, stack: FakeStack) -> None:
    seller.cloudformation.changes = [change("Modify", *DATABASE, "Conditional", ["StorageType"])]

    answer = seller.run("deploy", typed="no\n", YES="1", IMAGE=IMAGE)

    assert "AWS may replace the database by an empty one. The cause is StorageType" in answer.words
    assert seller.cloudformation.executed == []


def test_products_file_is_asked_for_again_when_the_image_is_built(seller: SellerAccount, tmp_path: Path) -> None:
    parameters = {"ProductsFile": "/srv/foyer/products/products.toml", "DomainName": "start.acme.example"}
    seller.cloudformation.add("foyer", "CREATE_COMPLETE", parameters=parameters)

    answer = seller.run("deploy")

    assert answer.status == 1
    assert "Name the file again: PRODUCTS_FILE=products.toml" in answer.words


def test_output_fits_eighty_columns(seller: SellerAccount) -> None:
    will_succeed(seller)

    lines = seller.deploy(YES="1").output.splitlines()

    assert [line for line in lines if len(line) > 80 and not line.startswith(" ")] == []


def test_alarm_mail_has_to_be_confirmed(seller: SellerAccount) -> None:
    will_succeed(seller)

    answer = seller.deploy(YES="1", ALARM_EMAIL="ops@acme.example")

    assert "Open the link in SNS's mail to ops@acme.example" in answer.words
