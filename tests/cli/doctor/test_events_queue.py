"""foyer doctor: the events queue and its dead-letter queue."""

import pytest

from tests.cli.doctor.doctor_output import EVENT_SUBJECTS, failed_checks, findings, run_doctor
from tests.support.cloudformation_stack import QUEUE_NAME, Stack
from tests.support.databases import on_sqlite
from tests.support.scripted_aws import AwsResponse, ScriptedAws

pytestmark = on_sqlite

ROLE = "arn:aws:iam::123456789012:role/marketplace"
ATTACH = "Attach the policy of deploy/template.yaml"


def refusal(code: str, status: int = 403) -> AwsResponse:
    """Return an SQS error response."""
    return AwsResponse(status, {"__type": code, "message": "No."})


def attributes(stack: Stack) -> AwsResponse:
    """Return the GetQueueAttributes response of the stack's queue."""
    return AwsResponse(
        200,
        {
            "Attributes": stack.aws.sqs.get_queue_attributes(QueueUrl=stack.queue_url, AttributeNames=["All"])[
                "Attributes"
            ]
        },
    )


def test_deployed_stack_passes(stack: Stack) -> None:
    result = run_doctor()

    assert failed_checks(result) == {}
    assert findings(result)["events queue"] == (
        "ok",
        f"{stack.queue_arn}; events that cannot be applied go to {QUEUE_NAME}-dead-letters",
    )
    assert findings(result)["event rules"] == ("ok", f"{QUEUE_NAME}: all 8 kinds of events.")


def test_missing_queue_setting_warns_and_explains_the_effect(environment: pytest.MonkeyPatch) -> None:
    result = run_doctor()

    assert failed_checks(result) == {}
    assert [findings(result)[subject][0] for subject in EVENT_SUBJECTS] == ["warn", "warn"]
    assert "EVENTS_QUEUE_URL is not set: no subscription becomes active by itself." in result.stdout
    assert "Deploy deploy/template.yaml and set it to the stack's QueueUrl." in result.stdout


def test_queue_that_does_not_exist_fails(stack: Stack, environment: pytest.MonkeyPatch) -> None:
    environment.setenv("EVENTS_QUEUE_URL", f"{stack.queue_url}-of-another")

    failures = failed_checks(run_doctor())

    assert list(failures) == EVENT_SUBJECTS
    assert all("There is no queue at EVENTS_QUEUE_URL" in advice for advice in failures.values())


@pytest.mark.parametrize(
    ("response", "advice"),
    [
        (refusal("AccessDeniedException"), "sqs:GetQueueAttributes"),
        (refusal("InvalidAddress", 400), "There is no queue at EVENTS_QUEUE_URL"),
        (refusal("InvalidClientTokenId"), "missing, wrong or expired"),
        (refusal("ValidationException", 400), "AWS failed or could not be reached"),
        (AwsResponse(200, "Welcome"), "every AWS_ENDPOINT_URL that is set"),
        (AwsResponse(200, {}), "every AWS_ENDPOINT_URL that is set"),
    ],
)
def test_each_queue_error_has_its_own_advice(
    stack: Stack, environment: pytest.MonkeyPatch, response: AwsResponse, advice: str
) -> None:
    with ScriptedAws([response]) as sqs:
        environment.setenv("AWS_ENDPOINT_URL_SQS", sqs.url)
        failures = failed_checks(run_doctor())

    assert list(failures) == EVENT_SUBJECTS
    assert all(advice in failure for failure in failures.values())
    assert not any("ResolveCustomer" in failure for failure in failures.values())


def test_refused_role_fails_the_queue_checks(stack: Stack, environment: pytest.MonkeyPatch) -> None:
    environment.setenv("MARKETPLACE_ROLE_ARN", ROLE)

    with ScriptedAws(
        [AwsResponse(403, "<ErrorResponse><Error><Code>AccessDenied</Code></Error></ErrorResponse>")]
    ) as sts:
        environment.setenv("AWS_ENDPOINT_URL_STS", sts.url)
        failures = failed_checks(run_doctor())

    assert set(EVENT_SUBJECTS) <= failures.keys()
    assert all("sts:AssumeRole" in failures[subject] for subject in EVENT_SUBJECTS)


def test_queue_without_a_dead_letter_queue_fails(stack: Stack) -> None:
    # moto drops the policy when it is not set together with the other attributes.
    policy = stack.aws.sqs.get_queue_attributes(QueueUrl=stack.queue_url, AttributeNames=["Policy"])["Attributes"]
    stack.aws.sqs.set_queue_attributes(QueueUrl=stack.queue_url, Attributes={**policy, "RedrivePolicy": ""})

    failures = failed_checks(run_doctor())

    assert list(failures) == ["events queue"]
    assert "has no dead-letter queue" in failures["events queue"]


def test_deleted_dead_letter_queue_fails(stack: Stack) -> None:
    stack.aws.sqs.delete_queue(QueueUrl=stack.dead_letter_queue_url)

    failures = failed_checks(run_doctor())
    stack.aws.sqs.create_queue(QueueName=f"{QUEUE_NAME}-dead-letters")  # moto cannot delete a stack without it

    assert list(failures) == ["events queue"]
    assert "dead-letter queue does not exist" in failures["events queue"]


def test_unreadable_dead_letter_queue_fails_with_the_permissions(stack: Stack, environment: pytest.MonkeyPatch) -> None:
    with ScriptedAws([attributes(stack), refusal("AccessDeniedException"), attributes(stack)]) as sqs:
        environment.setenv("AWS_ENDPOINT_URL_SQS", sqs.url)
        failures = failed_checks(run_doctor())

    assert list(failures) == ["events queue"]
    assert ATTACH in failures["events queue"]
    assert "sqs:GetQueueUrl and sqs:SendMessage" in failures["events queue"]
