"""make deploy: what it says when AWS cannot make the stack, and what to do about it."""

import re

import pytest

from tests.support.deploy_tool import IMAGE, OUTPUTS, TASK_ARN, SellerAccount
from tests.support.fake_cloudformation import Event, Plan

SERVICE = ("WebService", "AWS::ECS::Service")
DATABASE = ("Database", "AWS::RDS::DBInstance")
CLUSTER = Event("Cluster", "AWS::ECS::Cluster", "CREATE_COMPLETE")
CALLER = "arn:aws:iam::123456789012:user/dev"
DENIED = (
    f'Resource handler returned message: "User: {CALLER} is not authorized to perform: rds:CreateDBInstance on '
    "resource: arn:aws:rds:us-east-1:123456789012:db:foyer because no identity-based policy allows the "
    'rds:CreateDBInstance action (Service: Rds, Status Code: 403)" (HandlerErrorCode: AccessDenied)'
)


def will_fail(seller: SellerAccount, reason: str, status: str = "CREATE_FAILED", name: str = "Database") -> None:
    """Let a resource fail for this reason, and the others be cancelled."""
    failed = Event(name, "AWS::RDS::DBInstance", "CREATE_FAILED", reason)
    cancelled = Event("EventsQueue", "AWS::SQS::Queue", "CREATE_FAILED", "Resource creation cancelled")
    started = Event(name, "AWS::RDS::DBInstance", "CREATE_IN_PROGRESS")
    seller.cloudformation.plans.append(Plan([[started], [failed, cancelled]], status))


def will_fail_for(seller: SellerAccount, *reasons: str) -> None:
    """Let one resource fail for each reason: Failed0, Failed1 and so on."""
    failed = [Event(f"Failed{n}", "AWS::EC2::VPC", "CREATE_FAILED", reason) for n, reason in enumerate(reasons)]
    seller.cloudformation.plans.append(Plan([failed], "CREATE_FAILED"))


def test_cause_is_printed_and_what_it_cancelled_is_not(seller: SellerAccount) -> None:
    will_fail(seller, "DB instance class db.t4g.micro: InsufficientDBInstanceCapacity")

    answer = seller.deploy(YES="1")

    assert answer.status == 1
    assert "Database: AWS has no capacity for this at the moment." in answer.words
    assert "(AWS says: DB instance class db.t4g.micro: InsufficientDBInstanceCapacity)" in answer.words
    assert "EventsQueue:" not in answer.output
    assert "cancelled" not in answer.output
    assert "run the same command again: it goes on from there" in answer.words


def test_denied_action_is_named_with_the_statement_that_allows_it(seller: SellerAccount) -> None:
    will_fail(seller, DENIED)

    answer = seller.deploy(YES="1")

    assert f"AWS denied rds:CreateDBInstance to {CALLER}" in answer.words
    statement = (
        '{ "Effect": "Allow", "Action": "rds:CreateDBInstance", '
        '"Resource": "arn:aws:rds:us-east-1:123456789012:db:foyer" }'
    )
    assert statement in answer.words


POLICIES = {
    "with an explicit deny in a service control policy": "a service control policy (SCP) of your organization",
    "because no service control policy allows the action": "a service control policy (SCP) of your organization",
    "because no permissions boundary allows it": "the permissions boundary of this user or role",
    "with an explicit deny in an identity-based policy": "One of its policies denies it explicitly",
}


def test_policy_that_denies_is_named(seller: SellerAccount) -> None:
    will_fail_for(seller, *(f"User: {CALLER} is not authorized to perform: ec2:CreateVpc {why}" for why in POLICIES))

    answer = seller.deploy(YES="1")

    for number, words in enumerate(POLICIES.values()):
        assert re.search(
            rf"Failed{number}: AWS denied ec2:CreateVpc to {CALLER}\. .{{0,20}}{re.escape(words)}", answer.words
        )
    assert '"Effect"' not in answer.output


REASONS = {
    "The maximum number of VPCs has been reached. (VpcLimitExceeded)": "as many VPCs in this Region",
    "The maximum number of internet gateways has been reached.": "as many internet gateways",
    "You've reached the limit on the number of vCPUs you can run concurrently": "vCPUs on Fargate",
    "foyer-events already exists in stack arn:aws:cloudformation:us-east-1:1:stack/x/1": "exists already",
    "Tried to create resource record set [name='x'] but it already exists": "The zone already has a record",
    "Unable to assume the service linked role. Please verify it exists.": "has never used ECS",
    "Cannot find version 18 for postgres": "does not offer this instance class or version",
    "The AWS Access Key Id needs a subscription for the service": "not ready for this service yet",
    "Rate exceeded (Service: ..., ThrottlingException)": "called more slowly",
    "Request limit exceeded. (Service: Ec2, Status Code: 503) (RequestLimitExceeded)": "called more slowly",
    "DB subnet group doesn't meet: DBSubnetGroupDoesNotCoverEnoughAZs": "two different Availability Zones",
    "DBInstance quota: InstanceQuotaExceeded": "as many of these in this Region",
}


def test_reasons_are_printed_in_plain_words_and_in_awss(seller: SellerAccount) -> None:
    will_fail_for(seller, *REASONS)

    answer = seller.deploy(YES="1")

    for number, (reason, words) in enumerate(REASONS.items()):
        [explained] = re.findall(rf"Failed{number}: (.*?)\(AWS says: {re.escape(reason)}\)", answer.words)
        assert words in explained


def test_unknown_reason_is_printed_as_it_is(seller: SellerAccount) -> None:
    will_fail(seller, "Something new happened")

    assert "Database: Something new happened." in seller.deploy(YES="1").words


def test_failed_update_is_undone_and_says_so(seller: SellerAccount) -> None:
    seller.cloudformation.add("foyer", "CREATE_COMPLETE", parameters={"DomainName": "a.example", "ProductCode": "c"})
    will_fail(seller, "InsufficientDBInstanceCapacity", "UPDATE_ROLLBACK_COMPLETE")

    answer = seller.deploy(YES="1")

    assert answer.status == 1
    assert "everything is as it was before" in answer.words


def will_stop(seller: SellerAccount, reason: str, *lines: str, container_reason: str = "", count: int = 1) -> None:
    """Let tasks stop while the service is being made, and the deployment fail for it."""
    container = {"name": "migrate", "exitCode": 1, "reason": container_reason}
    task = {"lastStatus": "STOPPED", "stoppedReason": reason, "containers": [container]}
    arns = [f"{TASK_ARN}{number}" for number in range(count)]
    stopped: list[str] = []

    def list_tasks(_: object) -> dict[str, list[str]]:
        seller.aws.give("ecs.DescribeTasks", tasks=[{**task, "taskArn": arn} for arn in arns])
        return {"taskArns": stopped}

    seller.aws.answers["ecs.ListTasks"] = list_tasks
    started = Event(*SERVICE, "CREATE_IN_PROGRESS")
    failed = Event(*SERVICE, "CREATE_FAILED", "ECS Deployment Circuit Breaker was triggered")
    seller.cloudformation.plans.append(Plan([[CLUSTER, started], [], [failed]], "CREATE_FAILED"))
    seller.will_log(*lines)
    stopped.extend(arns)


def test_stopped_task_is_shown_with_its_last_lines(seller: SellerAccount) -> None:
    will_stop(seller, "Essential container in task exited", *[f"line {n}" for n in range(20)], "cannot migrate")

    answer = seller.deploy(YES="1")

    assert "A task stopped: Essential container in task exited" in answer.words
    assert "The last lines of migrate:" in answer.words
    assert "cannot migrate" in answer.output
    assert "line 19" in answer.output
    assert "line 2\n" not in answer.output
    assert answer.output.count("A task stopped") == 1
    assert "WebService: The tasks did not start, or did not become healthy" in answer.words


@pytest.mark.parametrize(
    ("reason", "line", "words"),
    [
        ("Essential container in task exited", "exec /opt/venv/bin/foyer: exec format error", "another architecture"),
        ("CannotPullContainerError: image Manifest does not contain descriptor matching platform", "", "Architecture="),
        ("CannotPullContainerError: pull image: acme/foyer:1: not found", "", "The image is not in its repository"),
        ("CannotPullContainerError: i/o timeout", "", "cannot reach AWS from their subnets"),
        ("ResourceInitializationError: unable to pull secrets: GetSecretValue: x", "", "A secret could not be read"),
        ("OutOfMemoryError: Container killed due to memory usage", "", "TaskMemory=1024"),
        ("Task failed ELB health checks in (target-group x)", "", "no good answer from /readyz"),
    ],
)
def test_reason_of_a_stopped_task_is_explained(seller: SellerAccount, reason: str, line: str, words: str) -> None:
    will_stop(seller, reason, *([line] if line else []))

    assert words in seller.deploy(YES="1").words


def test_logs_are_not_read_for_a_reason_that_was_printed(seller: SellerAccount) -> None:
    will_stop(seller, "Essential container in task exited", "cannot migrate", count=3)

    answer = seller.deploy(YES="1")

    assert answer.output.count("cannot migrate") == 1
    assert len({call["logStreamName"] for call in seller.aws.called("logs.GetLogEvents")}) == 1


def test_certificate_that_is_not_validated_ends_the_deployment(seller: SellerAccount) -> None:
    seller.cloudformation.add(
        "foyer", "CREATE_COMPLETE", parameters={"DomainName": "start.acme.example", "ZoneId": "Z1"}
    )
    started = Event("Certificate", "AWS::CertificateManager::Certificate", "UPDATE_IN_PROGRESS")
    seller.cloudformation.plans.append(Plan([[started], [], [], []]))

    answer = seller.deploy(YES="1", CERTIFICATE_MINUTES="0", DOMAIN="", IMAGE=IMAGE)

    assert answer.status == 1
    assert "The certificate of start.acme.example was not validated in 0 minutes" in answer.words
    assert "dig +short NS acme.example" in answer.output
    assert len(seller.aws.called("cloudformation.CancelUpdateStack")) == 1


def test_first_stack_whose_certificate_is_not_validated_is_deleted(seller: SellerAccount) -> None:
    events = [Event("Certificate", "AWS::CertificateManager::Certificate", "CREATE_IN_PROGRESS")]
    seller.cloudformation.plans.append(Plan([[*events, Event(*DATABASE, "CREATE_IN_PROGRESS")], [], [], []]))
    seller.aws.give("rds.ModifyDBInstance", DBInstance={})

    answer = seller.deploy(YES="1", CERTIFICATE_MINUTES="0")

    assert "was not validated in 0 minutes" in answer.words
    assert seller.aws.called("rds.ModifyDBInstance")[0]["DBInstanceIdentifier"] == "database-1"
    assert len(seller.aws.called("cloudformation.DeleteStack")) == 1


def test_template_that_cloudformation_refuses_is_explained(seller: SellerAccount) -> None:
    seller.cloudformation.refusal = "Template format error: Unresolved resource dependencies [Nothing]"

    answer = seller.deploy(YES="1")

    assert answer.status == 1
    assert "Unresolved resource dependencies" in answer.words


def test_later_deployment_goes_on_where_the_first_one_stopped(seller: SellerAccount) -> None:
    will_fail(seller, "InsufficientDBInstanceCapacity")
    seller.deploy(YES="1")
    seller.cloudformation.plans.append(Plan([], outputs=dict(OUTPUTS)))

    answer = seller.deploy(YES="1")

    assert answer.status == 0, answer.output
    assert "stopped halfway (CREATE_FAILED). This one goes on from there" in answer.words
    sent = seller.aws.called("cloudformation.ExecuteChangeSet")
    assert [call.get("DisableRollback") for call in sent] == [None, "true"]


def test_names_that_cloudformation_finds_taken_are_listed(seller: SellerAccount) -> None:
    seller.cloudformation.review_failure = "validation failed: [AWS::EarlyValidation::ResourceExistenceCheck]"
    finding = {
        "LogicalResourceId": "EventsQueue",
        "ValidationStatus": "FAILED",
        "ValidationStatusReason": "Resource of type 'AWS::SQS::Queue' with identifier 'acme-events' already exists.",
    }
    seller.aws.give("cloudformation.DescribeEvents", OperationEvents=[finding])

    answer = seller.deploy(YES="1")

    assert answer.status == 1
    assert f"EventsQueue: {finding['ValidationStatusReason']}" in answer.words
