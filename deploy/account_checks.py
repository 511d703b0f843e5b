"""What is checked in the account before anything is made: names that are taken, the publisher, stacks elsewhere."""

from collections.abc import Callable
from functools import partial

from botocore.exceptions import BotoCoreError, ClientError

from deploy import console, denied, events_stack, stacks
from deploy.account import EVENTS_REGION, Account
from deploy.errors import DeployError

MISSING = {
    "AWS.SimpleQueueService.NonExistentQueue",
    "QueueDoesNotExist",
    "ResourceNotFoundException",
    "NotFoundException",
}


def warn_unless_publisher(account: Account) -> None:
    """Warn if the account seems not to have published a product. Never more: AWS's answer proves nothing."""
    catalog = account.client("marketplace-catalog", EVENTS_REGION)
    try:
        products = catalog.list_entities(Catalog="AWSMarketplace", EntityType="SaaSProduct")["EntitySummaryList"]
    except ClientError as error:
        if denied.read(str(error)):
            console.say(
                "Not checked: whether this account published the product. These credentials may not call "
                "aws-marketplace:ListEntities. The doctor finds out at the end."
            )
        return
    except BotoCoreError:
        return
    if not products:
        console.warn(
            f"Account {account.identity.account_id} has no SaaS product on AWS Marketplace that these credentials can "
            "see. Foyer has to run in the account that published it: in another one AWS resolves no buyer's token and "
            "sends no events. If that is the case, answer no below, and use that account's credentials."
        )


def refuse_second_region(account: Account, stack_name: str) -> None:
    """Refuse to make the stack where its name belongs to one in another Region.

    Raises:
        DeployError: there is one, or there are its events.
    """
    if account.region == EVENTS_REGION:
        if (events := events_stack.find(account, stack_name)) and not events.is_in_review:
            raise DeployError(
                f"{events.name} in {EVENTS_REGION} belongs to a stack {stack_name} in another Region.",
                f"Name that Region: REGION=... For a second deployment, in {EVENTS_REGION}, choose another STACK.",
            )
    elif (other := stacks.find(account, stack_name, EVENTS_REGION)) and not other.is_in_review:
        raise DeployError(
            f"Stack {stack_name} is in {EVENTS_REGION}, not in {account.region}.",
            f"To update it, leave out REGION. For a second deployment, in {account.region}, choose another STACK. "
            "docs/deploy.md says how to move to another Region.",
        )


def confirm_shared_events(account: Account, events: stacks.Stack, *, is_yes: bool) -> None:
    """Ask before a new stack takes a stack of events that is there already.

    It may be another Region's. It may as well be left from a first deployment to this Region that stopped after it, so
    it is not refused.

    Raises:
        DeployError: somebody said no.
    """
    name = events.name.removesuffix(events_stack.SUFFIX)
    console.warn(
        f"There is no stack {name} in {account.region}, but {events.name} in {EVENTS_REGION} exists, with the queue of "
        f"events. If it belongs to a stack {name} in another Region, both would read that one queue, and each would "
        "miss the events that the other one takes. Then answer no, and name that Region, REGION=..., or choose another "
        f"STACK for a second deployment. If it is left from an earlier deployment to {account.region}, go on."
    )
    if not console.confirm(f"Use {events.name} for the stack in {account.region}?", is_yes=is_yes):
        raise DeployError("Nothing was changed.")


def refuse_taken_queue(account: Account, queue_name: str) -> None:
    """Refuse a queue's name that something else in the account has.

    Raises:
        DeployError: the queue, its dead-letter queue or its rule exists.
    """
    sqs, events = account.client("sqs", EVENTS_REGION), account.client("events", EVENTS_REGION)
    for name in (queue_name, f"{queue_name}-dead-letters"):
        if _exists(partial(sqs.get_queue_url, QueueName=name)):
            raise _taken(f"A queue {name}", queue_name)
    if _exists(partial(events.describe_rule, Name=queue_name)):
        raise _taken(f"An EventBridge rule {queue_name}", queue_name)


def refuse_taken_log_group(account: Account, stack_name: str) -> None:
    """Refuse a stack's name whose log group is left over from something else.

    Raises:
        DeployError: the log group exists.
    """
    group = f"/foyer/{stack_name}"
    found = account.client("logs").describe_log_groups(logGroupNamePrefix=group)["logGroups"]
    if any(made["logGroupName"] == group for made in found):
        raise DeployError(
            f"A log group {group} exists already, which belongs to no stack {stack_name}.",
            "If nobody needs its lines, delete it, and run the same command again. Otherwise choose another STACK.\n"
            f"  aws logs delete-log-group --region {account.region} --log-group-name {group}",
        )


def _exists(look: Callable[[], object]) -> bool:
    try:
        look()
    except ClientError as error:
        if error.response["Error"]["Code"] in MISSING:
            return False
        raise
    return True


def _taken(what: str, queue_name: str) -> DeployError:
    return DeployError(
        f"{what} exists already, in {EVENTS_REGION}, and belongs to another stack or to none.",
        f'Choose another name: PARAMETERS="QueueName={queue_name}-2". If it is left over from an earlier deployment '
        "and nobody needs it, delete it, and run the same command again.",
    )
