"""Ctrl-C while AWS works: the command ends at once, and says that AWS goes on."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tests.support import fake_docker
from tests.support.deploy_tool import FIRST, OUTPUTS, SellerAccount
from tests.support.fake_aws_account import Call
from tests.support.fake_cloudformation import Plan

ROOT = Path(__file__).parents[2]


def always() -> bool:
    return True


def interrupt_after(
    seller: SellerAccount,
    operation: str,
    command: str,
    is_time: Callable[[], bool] = always,
    typed: str = "",
    /,
    **variables: str,
) -> tuple[int, str]:
    """Run the command as make does, and press Ctrl-C when AWS does this and it is time; return status and words."""
    process = subprocess.Popen(
        [sys.executable, "-m", "deploy", command],
        cwd=ROOT,
        env={**os.environ, **seller.environment, "STACK": "foyer", **variables},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    answer = seller.aws.answers[operation]

    def interrupt(call: Call) -> dict[str, object]:
        if is_time():
            process.send_signal(signal.SIGINT)
        return answer(call)

    seller.aws.answers[operation] = interrupt
    output, _ = process.communicate(typed, timeout=60)
    return process.returncode, " ".join(output.split())


def test_interrupted_deployment_goes_on_and_can_be_followed(seller: SellerAccount) -> None:
    seller.cloudformation.plans.append(Plan([[]] * 1_000_000))

    status, words = interrupt_after(seller, "cloudformation.ExecuteChangeSet", "deploy", YES="1", **FIRST)

    assert status == 130
    assert "You stopped watching. AWS goes on with the stack all the same." in words
    assert "aws cloudformation describe-stack-events --region us-east-1" in words
    assert "Traceback" not in words


def is_being_deleted(seller: SellerAccount, name: str) -> Callable[[], bool]:
    return lambda: seller.cloudformation.stacks["us-east-1", name].status == "DELETE_IN_PROGRESS"


def test_interrupted_deletion_of_the_images_goes_on(seller: SellerAccount) -> None:
    for name in ("foyer", "foyer-image"):
        seller.cloudformation.add(name, "CREATE_COMPLETE")
    seller.cloudformation.plans += [Plan(), Plan([[]] * 1_000_000)]
    is_time = is_being_deleted(seller, "foyer-image")

    status, words = interrupt_after(
        seller, "cloudformation.DescribeStacks", "undeploy", is_time, "foyer\n", DATABASE="delete"
    )

    assert status == 130
    assert "You stopped watching. AWS goes on with the stack all the same." in words
    assert "--stack-name foyer-image" in words

    seller.cloudformation.stacks["us-east-1", "foyer-image"].status = "DELETE_FAILED"
    seller.cloudformation.plans += [Plan()]
    again = seller.run("undeploy", typed="foyer\n", DATABASE="delete")

    assert again.status == 0
    assert "Stack foyer is gone. foyer-image is deleted as well." in again.words
    assert seller.cloudformation.stacks["us-east-1", "foyer-image"].status == "DELETE_COMPLETE"


def test_interrupted_deletion_of_an_unfinished_repository_goes_on(seller: SellerAccount) -> None:
    fake_docker.install(Path(seller.environment["PATH"]))
    seller.cloudformation.add("foyer-image", "ROLLBACK_COMPLETE")
    seller.cloudformation.plans.append(Plan([[]] * 1_000_000))
    is_time = is_being_deleted(seller, "foyer-image")

    status, words = interrupt_after(
        seller, "cloudformation.DescribeStacks", "deploy", is_time, YES="1", **FIRST | {"IMAGE": ""}
    )

    assert status == 130
    assert "You stopped watching. AWS goes on with the stack all the same." in words


def test_interrupted_task_is_stopped(seller: SellerAccount) -> None:
    seller.cloudformation.add("foyer", "CREATE_COMPLETE", outputs=dict(OUTPUTS))
    seller.will_run(lastStatus="RUNNING")
    seller.aws.give("ecs.StopTask", task={})

    status, words = interrupt_after(seller, "ecs.DescribeTasks", "run", ARGS="worker")

    assert status == 130
    assert "Stopped: AWS ends the task" in words
    assert len(seller.aws.called("ecs.StopTask")) == 1
