"""flask doctor on the queue that the events come into, and on its dead-letter queue."""

from collections.abc import Iterator

import pytest

from sandbox.server import Sandbox
from tests.cli.doctor.doctor_output import EVENT_SUBJECTS, failed_checks, findings, run_doctor
from tests.support.cloudformation_stack import QUEUE_NAME, Stack, deploy
from tests.support.databases import on_sqlite
from tests.support.scripted_aws import AwsResponse, ScriptedAws

pytestmark = on_sqlite

ROLE = "arn:aws:iam::123456789012:role/marketplace"
ATTACH = "Attach the policy of deploy/template.yaml"


@pytest.fixture
def stack(environment: pytest.MonkeyPatch, sandbox: Sandbox) -> Iterator[Stack]:
    """The stack, deployed, and the setting that it asks for."""
    with deploy(sandbox.aws_url) as stack:
        environment.setenv("EVENTS_QUEUE_URL", stack.queue_url)
        yield stack


def refusal(code: str, status: int = 403) -> AwsResponse:
    """Return what SQS answers where it refuses a call."""
    return AwsResponse(status, {"__type": code, "message": "No."})


def attributes(stack: Stack) -> AwsResponse:
    """Return what SQS answers of the stack's queue."""
    return AwsResponse(
        200,
        {
            "Attributes": stack.aws.sqs.get_queue_attributes(QueueUrl=stack.queue_url, AttributeNames=["All"])[
                "Attributes"
            ]
        },
    )


def test_the_stack_as_it_is_deployed_passes(stack: Stack) -> None:
    result = run_doctor()

    assert failed_checks(result) == {}
    assert findings(result)["events queue"] == (
        "ok",
        f"{stack.queue_arn}; what cannot be applied goes to {QUEUE_NAME}-dead-letters",
    )
    assert findings(result)["event rules"] == ("ok", f"{QUEUE_NAME}: all 8 kinds of events.")


def test_without_a_queue_nothing_fails_and_what_that_means_is_said(environment: pytest.MonkeyPatch) -> None:
    result = run_doctor()

    assert failed_checks(result) == {}
    assert [findings(result)[subject][0] for subject in EVENT_SUBJECTS] == ["warn", "warn"]
    assert "EVENTS_QUEUE_URL is not set: no subscription becomes active by itself." in result.stdout
    assert "Deploy deploy/template.yaml and set it to the stack's QueueUrl." in result.stdout


def test_a_queue_that_is_not_there_is_told(stack: Stack, environment: pytest.MonkeyPatch) -> None:
    environment.setenv("EVENTS_QUEUE_URL", f"{stack.queue_url}-of-another")

    failures = failed_checks(run_doctor())

    assert list(failures) == EVENT_SUBJECTS
    assert all("There is no queue at EVENTS_QUEUE_URL" in advice for advice in failures.values())


@pytest.mark.parametrize(
    ("answer", "advice"),
    [
        (refusal("AccessDeniedException"), "sqs:GetQueueAttributes"),
        (refusal("InvalidAddress", 400), "There is no queue at EVENTS_QUEUE_URL"),
        (refusal("InvalidClientTokenId"), "missing, wrong or expired"),
        (refusal("ValidationException", 400), "AWS failed or could not be reached"),
        (AwsResponse(200, "Welcome"), "every AWS_ENDPOINT_URL that is set"),
        (AwsResponse(200, {}), "every AWS_ENDPOINT_URL that is set"),
    ],
)
def test_a_refusal_to_read_the_queue_has_its_own_advice(
    stack: Stack, environment: pytest.MonkeyPatch, answer: AwsResponse, advice: str
) -> None:
    with ScriptedAws([answer]) as sqs:
        environment.setenv("AWS_ENDPOINT_URL_SQS", sqs.url)
        failures = failed_checks(run_doctor())

    assert list(failures) == EVENT_SUBJECTS
    assert all(advice in failure for failure in failures.values())
    assert not any("ResolveCustomer" in failure for failure in failures.values())


def test_a_role_that_may_not_be_assumed_is_told_here_too(stack: Stack, environment: pytest.MonkeyPatch) -> None:
    environment.setenv("MARKETPLACE_ROLE_ARN", ROLE)

    with ScriptedAws(
        [AwsResponse(403, "<ErrorResponse><Error><Code>AccessDenied</Code></Error></ErrorResponse>")]
    ) as sts:
        environment.setenv("AWS_ENDPOINT_URL_STS", sts.url)
        failures = failed_checks(run_doctor())

    assert set(EVENT_SUBJECTS) <= failures.keys()
    assert all("sts:AssumeRole" in failures[subject] for subject in EVENT_SUBJECTS)


def test_a_queue_without_a_dead_letter_queue_is_told(stack: Stack) -> None:
    # moto forgets a policy that is not set along with the rest.
    kept = stack.aws.sqs.get_queue_attributes(QueueUrl=stack.queue_url, AttributeNames=["Policy"])["Attributes"]
    stack.aws.sqs.set_queue_attributes(QueueUrl=stack.queue_url, Attributes={**kept, "RedrivePolicy": ""})

    failures = failed_checks(run_doctor())

    assert list(failures) == ["events queue"]
    assert "has no dead-letter queue" in failures["events queue"]


def test_a_dead_letter_queue_that_was_deleted_is_told(stack: Stack) -> None:
    stack.aws.sqs.delete_queue(QueueUrl=stack.dead_letter_queue_url)

    failures = failed_checks(run_doctor())
    stack.aws.sqs.create_queue(QueueName=f"{QUEUE_NAME}-dead-letters")  # moto deletes no stack that lacks one

    assert list(failures) == ["events queue"]
    assert "dead-letter queue does not exist" in failures["events queue"]


def test_a_dead_letter_queue_that_may_not_be_found_is_told(stack: Stack, environment: pytest.MonkeyPatch) -> None:
    with ScriptedAws([attributes(stack), refusal("AccessDeniedException"), attributes(stack)]) as sqs:
        environment.setenv("AWS_ENDPOINT_URL_SQS", sqs.url)
        failures = failed_checks(run_doctor())

    assert list(failures) == ["events queue"]
    assert ATTACH in failures["events queue"]
    assert "sqs:GetQueueUrl and sqs:SendMessage" in failures["events queue"]
