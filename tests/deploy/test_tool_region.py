"""make deploy REGION=...: outside us-east-1, the events have a stack of their own there."""

from tests.support.deploy_tool import FIRST, OUTPUTS, SellerAccount
from tests.support.fake_cloudformation import Event, Plan

ELSEWHERE = {"REGION": "eu-central-1", "YES": "1"}
BOTH = [Plan([], outputs=dict(OUTPUTS)), Plan([], outputs=dict(OUTPUTS))]


def test_events_are_deployed_in_us_east_1_first(seller: SellerAccount) -> None:
    seller.cloudformation.plans += BOTH

    answer = seller.deploy(**ELSEWHERE, PARAMETERS=f"{FIRST['PARAMETERS']} TopicArn1=arn:aws:sns:us-east-1:1:t")

    assert answer.status == 0, answer.output
    events, main = seller.cloudformation.executed
    assert (events.stack.name, events.stack.region) == ("foyer-events", "us-east-1")
    assert events.parameters["QueueName"] == main.parameters["QueueName"] == "acme-events"
    assert events.parameters["TopicArn1"] == "arn:aws:sns:us-east-1:1:t"
    assert (main.stack.name, main.stack.region) == ("foyer", "eu-central-1")
    assert main.parameters["EventsQueueUrl"] == OUTPUTS["QueueUrl"]
    assert main.parameters["EventsPolicyArn"] == OUTPUTS["PolicyArn"]
    assert 'make remote STACK=foyer REGION=eu-central-1 ARGS="doctor"' in answer.output


def test_unchanged_events_stack_is_left_alone(seller: SellerAccount) -> None:
    seller.cloudformation.add("foyer-events", "CREATE_COMPLETE", outputs=dict(OUTPUTS))
    known = {"DomainName": "start.acme.example", "ProductCode": "prodcode1"}
    seller.cloudformation.add("foyer", "CREATE_COMPLETE", "eu-central-1", parameters=known, outputs=dict(OUTPUTS))
    seller.cloudformation.changes = []

    answer = seller.deploy(**ELSEWHERE)

    assert answer.status == 0, answer.output
    assert "Nothing has changed" in answer.words
    assert seller.cloudformation.executed == []


def test_events_stack_of_another_region_is_used_only_after_a_question(seller: SellerAccount) -> None:
    seller.cloudformation.add("foyer-events", "CREATE_COMPLETE", outputs=dict(OUTPUTS))
    seller.cloudformation.add("foyer", "CREATE_COMPLETE", "eu-west-1")

    answer = seller.deploy(typed="n\n", REGION="eu-central-1")

    assert answer.status == 1
    assert "both would read that one queue" in answer.words
    assert "name that Region, REGION=..., or choose another STACK" in answer.words
    assert "Use foyer-events for the stack in eu-central-1?" in answer.words
    assert seller.aws.called("cloudformation.CreateChangeSet") == []


def test_first_deployment_that_stopped_after_the_events_goes_on(seller: SellerAccount) -> None:
    seller.cloudformation.plans += BOTH
    assert seller.deploy(typed="y\nn\n", REGION="eu-central-1").status == 1
    seller.cloudformation.changes = []

    answer = seller.deploy(typed="y\ny\n", REGION="eu-central-1")

    assert answer.status == 0, answer.output
    assert [executed.stack.name for executed in seller.cloudformation.executed] == ["foyer-events", "foyer"]


def test_events_stack_that_fails_is_explained(seller: SellerAccount) -> None:
    failed = Event("EventsQueue", "AWS::SQS::Queue", "CREATE_FAILED", "acme-events already exists in stack x")
    seller.cloudformation.plans.append(Plan([[failed]], "CREATE_FAILED"))

    answer = seller.deploy(**ELSEWHERE)

    assert answer.status == 1
    assert "Stack foyer-events in us-east-1 failed (CREATE_FAILED)" in answer.words
    assert "EventsQueue: Something of that name exists already" in answer.words
    assert len(seller.cloudformation.executed) == 1


def test_deletion_takes_the_events_stack_along(seller: SellerAccount) -> None:
    seller.cloudformation.add("foyer-events", "CREATE_COMPLETE")
    seller.cloudformation.add("foyer", "CREATE_COMPLETE", "eu-central-1", outputs=dict(OUTPUTS))

    answer = seller.run("undeploy", typed="foyer\n", REGION="eu-central-1", DATABASE="delete")

    assert answer.status == 0, answer.output
    assert {stack.status for stack in seller.cloudformation.stacks.values()} == {"DELETE_COMPLETE"}
