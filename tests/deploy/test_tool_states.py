"""make deploy on a stack that is in no state to be updated."""

import pytest

from tests.support.deploy_tool import OUTPUTS, SellerAccount
from tests.support.fake_cloudformation import Event, Plan

KNOWN = {"DomainName": "start.acme.example", "ProductCode": "prodcode1"}
FAILED = Event("Database", "AWS::RDS::DBInstance", "DELETE_FAILED", "Cannot delete protected DB Instance")


def test_stack_that_was_only_reviewed_is_made_anew(seller: SellerAccount) -> None:
    seller.cloudformation.add("foyer", "REVIEW_IN_PROGRESS")
    seller.cloudformation.plans.append(Plan([], outputs=dict(OUTPUTS)))

    answer = seller.deploy(YES="1")

    assert answer.status == 0, answer.output
    assert [call["ChangeSetType"] for call in seller.aws.called("cloudformation.CreateChangeSet")] == ["CREATE"]


def test_empty_stack_of_a_failed_creation_is_deleted_after_a_question(seller: SellerAccount) -> None:
    seller.cloudformation.add("foyer", "ROLLBACK_COMPLETE")
    seller.cloudformation.plans += [Plan(), Plan([], outputs=dict(OUTPUTS))]

    answer = seller.deploy(typed="y\ny\n")

    assert answer.status == 0, answer.output
    assert "Delete the empty stack foyer?" in answer.words
    assert seller.cloudformation.stacks["us-east-1", "foyer"].status == "CREATE_COMPLETE"


def test_empty_stack_stays_if_the_answer_is_no(seller: SellerAccount) -> None:
    seller.cloudformation.add("foyer", "ROLLBACK_COMPLETE")

    assert seller.deploy(typed="n\n").status == 1
    assert seller.cloudformation.stacks["us-east-1", "foyer"].status == "ROLLBACK_COMPLETE"


@pytest.mark.parametrize("status", ["CREATE_IN_PROGRESS", "UPDATE_ROLLBACK_IN_PROGRESS", "DELETE_IN_PROGRESS"])
def test_other_deployment_is_named_and_not_disturbed(seller: SellerAccount, status: str) -> None:
    seller.cloudformation.add("foyer", status)

    answer = seller.deploy(YES="1")

    assert answer.status == 1
    assert f"Something else changes stack foyer at the moment ({status}, since 12:00 UTC)" in answer.words
    assert "WAIT=1" in answer.output
    assert seller.aws.called("cloudformation.CreateChangeSet") == []


def test_other_deployment_is_waited_for_if_asked(seller: SellerAccount) -> None:
    other = seller.cloudformation.add("foyer", "UPDATE_IN_PROGRESS", parameters=dict(KNOWN), outputs=dict(OUTPUTS))
    other.plan = Plan([[], [], []], "UPDATE_COMPLETE")

    answer = seller.deploy(YES="1", WAIT="1")

    assert answer.status == 0, answer.output
    assert "Waiting for what changes stack foyer at the moment" in answer.words
    assert len(seller.cloudformation.executed) == 1


@pytest.mark.parametrize("status", ["DELETE_FAILED", "ROLLBACK_FAILED"])
def test_half_deleted_stack_is_explained(seller: SellerAccount, status: str) -> None:
    stack = seller.cloudformation.add("foyer", status)
    seller.cloudformation.record(stack, FAILED)

    answer = seller.deploy(YES="1")

    assert answer.status == 1
    assert "Database: Cannot delete protected DB Instance" in answer.words
    assert "make undeploy STACK=foyer DATABASE=delete" in answer.output


def test_rollback_that_failed_goes_on_after_a_question(seller: SellerAccount) -> None:
    stack = seller.cloudformation.add("foyer", "UPDATE_ROLLBACK_FAILED", parameters=dict(KNOWN), outputs=dict(OUTPUTS))
    seller.cloudformation.record(stack, Event("WebService", "AWS::ECS::Service", "UPDATE_FAILED", "no such image"))

    answer = seller.deploy(typed="y\ny\n")

    assert answer.status == 0, answer.output
    assert "WebService: no such image" in answer.words
    assert len(seller.aws.called("cloudformation.ContinueUpdateRollback")) == 1


def test_rollback_that_fails_again_says_what_can_be_skipped(seller: SellerAccount) -> None:
    stack = seller.cloudformation.add("foyer", "UPDATE_ROLLBACK_FAILED")
    failed = Event("WebService", "AWS::ECS::Service", "UPDATE_FAILED", "no such image")
    seller.cloudformation.record(stack, failed)
    seller.cloudformation.plans.append(Plan([[failed]], "UPDATE_ROLLBACK_FAILED"))

    answer = seller.deploy(YES="1")

    assert answer.status == 1
    assert "--resources-to-skip WebService" in answer.output


def test_undone_update_is_mentioned_and_updated(seller: SellerAccount) -> None:
    seller.cloudformation.add("foyer", "UPDATE_ROLLBACK_COMPLETE", parameters=dict(KNOWN), outputs=dict(OUTPUTS))

    answer = seller.deploy(YES="1")

    assert answer.status == 0, answer.output
    assert "The last update failed and was undone" in answer.words
