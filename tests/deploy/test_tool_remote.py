"""make remote: a command of foyer runs as a task of its own, and ends this command as it ended."""

import pytest

from tests.support.deploy_tool import OUTPUTS, TASK_ARN, SellerAccount
from tests.support.fake_aws_account import Call


@pytest.fixture(autouse=True)
def stack(seller: SellerAccount) -> None:
    """A stack that is deployed."""
    seller.cloudformation.add("foyer", "CREATE_COMPLETE", outputs=dict(OUTPUTS))


def test_command_runs_with_the_settings_of_the_worker(seller: SellerAccount) -> None:
    seller.will_run("account  1234-5678-9012", "status   active")

    answer = seller.run("run", ARGS="customer 'Juniper & Lark'")

    assert answer.status == 0
    assert answer.output == "account  1234-5678-9012\nstatus   active\n"
    [sent] = seller.aws.called("ecs.RunTask")
    [container] = sent["overrides"]["containerOverrides"]
    assert container["name"] == "worker"
    assert container["command"] == ["foyer", "customer", "Juniper & Lark"]
    assert container["environment"] == [{"name": "LOG_LEVEL", "value": "WARNING"}]
    assert sent["taskDefinition"] == OUTPUTS["WorkerTaskDefinition"]
    assert sent["networkConfiguration"]["awsvpcConfiguration"] == {
        "subnets": ["subnet-1", "subnet-2"],
        "securityGroups": ["sg-1"],
        "assignPublicIp": "ENABLED",
    }


def test_lines_are_read_from_the_tasks_own_stream(seller: SellerAccount) -> None:
    seller.run("run", ARGS="status")

    asked = seller.aws.called("logs.GetLogEvents")[0]
    assert asked["logGroupName"] == "/foyer/foyer"
    assert asked["logStreamName"] == f"worker/worker/{TASK_ARN.rpartition('/')[2]}"


def test_exit_status_is_the_commands(seller: SellerAccount) -> None:
    seller.will_run("No such customer.", exit_code=2)

    assert seller.run("run", ARGS="customer nobody").status == 2


def test_lines_are_printed_while_the_task_runs_and_only_once(seller: SellerAccount) -> None:
    written = [["first"], ["second", "third"], [], []]
    statuses = ["PENDING", "RUNNING", "STOPPED", "STOPPED"]

    def describe(_: Call) -> dict[str, object]:
        status = statuses.pop(0) if len(statuses) > 1 else statuses[0]
        return {
            "tasks": [{"taskArn": TASK_ARN, "lastStatus": status, "containers": [{"name": "worker", "exitCode": 0}]}]
        }

    def log(call: Call) -> dict[str, object]:
        lines = written.pop(0) if written else []
        return {"events": [{"message": line} for line in lines], "nextForwardToken": f"f/{len(written)}"}

    seller.aws.answers |= {"ecs.DescribeTasks": describe, "logs.GetLogEvents": log}

    assert seller.run("run", ARGS="status").output == "first\nsecond\nthird\n"


def test_lines_that_come_after_the_end_are_waited_for(seller: SellerAccount) -> None:
    written: list[list[str]] = [[], [], ["late"]]

    def log(call: Call) -> dict[str, object]:
        lines = written.pop(0) if written else []
        return {"events": [{"message": line} for line in lines], "nextForwardToken": "f/1"}

    seller.aws.answers["logs.GetLogEvents"] = log

    assert seller.run("run", ARGS="status").output == "late\n"


def test_task_that_could_not_start_is_explained(seller: SellerAccount) -> None:
    seller.will_run(exit_code=None, stoppedReason="CannotPullContainerError: i/o timeout")

    answer = seller.run("run", ARGS="status")

    assert answer.status == 1
    assert "The task could not start" in answer.words
    assert "cannot reach AWS from their subnets" in answer.words
    assert "(AWS says: CannotPullContainerError: i/o timeout)" in answer.words


def test_task_that_ecs_refuses_is_explained(seller: SellerAccount) -> None:
    seller.aws.give("ecs.RunTask", tasks=[], failures=[{"reason": "Capacity is unavailable at this time."}])

    answer = seller.run("run", ARGS="status")

    assert answer.status == 1
    assert "AWS has no capacity on Fargate" in answer.words


def test_denied_task_names_the_statement_that_allows_it(seller: SellerAccount) -> None:
    message = (
        "User: arn:aws:iam::123456789012:user/dev is not authorized to perform: ecs:RunTask on resource: arn:aws:x"
    )
    seller.aws.fail("ecs.RunTask", "AccessDeniedException", message)

    answer = seller.run("run", ARGS="status")

    assert '{ "Effect": "Allow", "Action": "ecs:RunTask", "Resource": "arn:aws:x" }' in answer.words


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"ARGS": ""}, 'make remote STACK=foyer ARGS="status"'),
        ({"ARGS": "customer 'Acme"}, "ARGS cannot be read"),
        ({"ARGS": "status", "STACK": "other"}, "There is no stack other in us-east-1"),
    ],
)
def test_wrong_input_is_answered(seller: SellerAccount, variables: dict[str, str], words: str) -> None:
    answer = seller.run("run", **variables)

    assert answer.status == 1
    assert words in answer.words


def test_stack_without_tasks_says_to_deploy_it(seller: SellerAccount) -> None:
    seller.cloudformation.add("foyer", "UPDATE_COMPLETE", outputs={"KeysArn": "arn:keys"})

    assert "Deploy it first with make deploy" in seller.run("run", ARGS="status").words
