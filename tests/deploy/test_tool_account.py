"""make deploy: credentials that do not work, the wrong account or Region, and names that are taken."""

import pytest

from tests.support.cloudformation_stack import AwsClients
from tests.support.deploy_tool import FIRST, OUTPUTS, SellerAccount
from tests.support.fake_cloudformation import Plan

DEFAULT_NAMES = FIRST["PARAMETERS"].replace(" QueueName=acme-events", "")


@pytest.mark.parametrize(
    ("code", "message", "words"),
    [
        ("ExpiredToken", "The security token included in the request is expired", "The AWS credentials have expired"),
        (
            "InvalidClientTokenId",
            "The security token included in the request is invalid",
            "does not know these credent",
        ),
        (
            "SignatureDoesNotMatch",
            "The request signature we calculated does not match",
            "does not know these credentia",
        ),
    ],
)
def test_credentials_that_do_not_work_are_explained(seller: SellerAccount, code: str, message: str, words: str) -> None:
    seller.aws.fail("sts.GetCallerIdentity", code, message)

    answer = seller.deploy()

    assert answer.status == 1
    assert words in answer.words
    assert f"(AWS says: {message})" in answer.words


def test_missing_credentials_are_explained(seller: SellerAccount) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        del seller.environment[name]

    answer = seller.deploy(AWS_EC2_METADATA_DISABLED="true", AWS_SHARED_CREDENTIALS_FILE="none", AWS_CONFIG_FILE="none")

    assert answer.status == 1
    assert "There are no AWS credentials" in answer.output


def test_profile_that_does_not_exist_is_explained(seller: SellerAccount) -> None:
    answer = seller.deploy(AWS_PROFILE="acme", AWS_CONFIG_FILE="none", AWS_SHARED_CREDENTIALS_FILE="none")

    assert "AWS_PROFILE names a profile that ~/.aws/config does not have" in answer.words


def test_unreachable_aws_is_explained(seller: SellerAccount) -> None:
    answer = seller.deploy(AWS_ENDPOINT_URL="http://127.0.0.1:9")

    assert answer.status == 1
    assert "AWS cannot be reached" in answer.output


def test_denied_call_names_the_statement_that_allows_it(seller: SellerAccount) -> None:
    seller.aws.fail("cloudformation.DescribeStacks", "AccessDenied", "Access Denied")

    answer = seller.deploy()

    assert '"Action": "cloudformation:DescribeStacks"' in answer.output


def test_account_without_a_product_is_warned_of_and_no_more(seller: SellerAccount) -> None:
    seller.aws.give("marketplace-catalog.ListEntities", EntitySummaryList=[])
    seller.cloudformation.plans.append(Plan([], outputs=dict(OUTPUTS)))

    answer = seller.deploy(YES="1")

    assert answer.status == 0, answer.output
    assert "Warning: Account 123456789012 has no SaaS product on AWS Marketplace" in answer.words


def test_publisher_that_cannot_be_looked_up_is_mentioned(seller: SellerAccount) -> None:
    seller.aws.fail("marketplace-catalog.ListEntities", "AccessDeniedException", "not authorized")
    seller.cloudformation.plans.append(Plan([], outputs=dict(OUTPUTS)))

    answer = seller.deploy(YES="1")

    assert answer.status == 0, answer.output
    assert "Not checked: whether this account published the product" in answer.words


def test_default_queue_is_named_after_the_stack(seller: SellerAccount) -> None:
    seller.deploy(YES="1", STACK="staging", PARAMETERS=DEFAULT_NAMES)

    assert seller.cloudformation.executed[0].parameters["QueueName"] == "staging-events"


def test_queue_that_exists_is_refused(seller: SellerAccount) -> None:
    # The sandbox has this one.
    answer = seller.deploy(YES="1", PARAMETERS=DEFAULT_NAMES)

    assert answer.status == 1
    assert "A queue foyer-events exists already" in answer.words
    assert 'PARAMETERS="QueueName=foyer-events-2"' in answer.words


def test_rule_that_exists_is_refused(seller: SellerAccount, aws_clients: AwsClients) -> None:
    aws_clients.events.put_rule(Name="acme-events", EventPattern="{}")

    answer = seller.deploy(YES="1")
    aws_clients.events.delete_rule(Name="acme-events")

    assert "An EventBridge rule acme-events exists already" in answer.words


def test_log_group_that_exists_is_refused(seller: SellerAccount, aws_clients: AwsClients) -> None:
    logs = aws_clients.client("logs")
    for name in ("/foyer/foyer", "/foyer/foyer-2"):
        logs.create_log_group(logGroupName=name)

    answer = seller.deploy(YES="1")
    for name in ("/foyer/foyer", "/foyer/foyer-2"):
        logs.delete_log_group(logGroupName=name)

    assert "aws logs delete-log-group --region us-east-1 --log-group-name /foyer/foyer" in answer.words


def test_stack_of_another_region_is_not_made_twice(seller: SellerAccount) -> None:
    seller.cloudformation.add("foyer", "CREATE_COMPLETE")

    answer = seller.deploy(YES="1", REGION="eu-central-1")

    assert answer.status == 1
    assert "Stack foyer is in us-east-1, not in eu-central-1" in answer.words


def test_forgotten_region_is_noticed_by_the_events_stack(seller: SellerAccount) -> None:
    seller.cloudformation.add("foyer-events", "CREATE_COMPLETE")

    answer = seller.deploy(YES="1")

    assert answer.status == 1
    assert "Name that Region: REGION=..." in answer.words
