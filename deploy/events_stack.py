"""Outside us-east-1: the stack STACK-events there, because AWS Marketplace sends its events only in that Region."""

from collections.abc import Mapping

from deploy import change_sets, console, stacks, templates
from deploy.account import EVENTS_REGION, Account
from deploy.change_sets import Request
from deploy.errors import DeployError
from deploy.options import DeployOptions
from deploy.progress import Follower

SUFFIX = "-events"
PASSED_ON = ("QueueName", "MailIdentityArn", "SesConfigurationSet", "TopicArn1", "TopicArn2", "TopicArn3", "TopicArn4")


def find(account: Account, stack_name: str) -> stacks.Stack | None:
    """Return the stack that a stack in another Region has for its events; None if there is none."""
    return stacks.find(account, f"{stack_name}{SUFFIX}", EVENTS_REGION)


def deploy(account: Account, options: DeployOptions, values: Mapping[str, str]) -> dict[str, str]:
    """Make or update the stack with the same names as the main one, and return the main one's parameters for it.

    Raises:
        DeployError: somebody said no, or it failed.
    """
    name = f"{options.stack_name}{SUFFIX}"
    body, template = templates.read(templates.EVENTS)
    stack = find(account, options.stack_name)
    if stack and stack.is_in_review:
        account.client("cloudformation", EVENTS_REGION).delete_stack(StackName=name)
        stack = None
    if stack and stack.status not in stacks.READY | stacks.HALFWAY:
        raise DeployError(
            f"Stack {name} in {EVENTS_REGION} is in the state {stack.status}.",
            "If that ends in IN_PROGRESS, run the same command again when it is done. Otherwise delete the stack, "
            "which has no data but the queue's events, and run the same command again.",
        )
    passed_on = {parameter: values[parameter] for parameter in PASSED_ON if parameter in values}
    request = Request(name, body, template, passed_on, stack, EVENTS_REGION)
    change_set = change_sets.create(account, request, options.poll_seconds)
    if change_set:
        change_sets.show(account, change_set, request)
        if not console.confirm(f"Go on? The rest follows in {account.region}.", is_yes=options.is_yes):
            change_sets.discard(account, change_set, EVENTS_REGION)
            raise DeployError("Nothing was changed.")
        follower = Follower(account, change_set.stack_id, EVENTS_REGION, options.poll_seconds)
        goes_on = stack is not None and stack.status in stacks.HALFWAY
        stack = change_sets.execute(account, change_set, follower, goes_on=goes_on)
        if stack.status not in stacks.READY or stack.status.startswith("UPDATE_ROLLBACK"):
            raise follower.error(
                f"Stack {name} in {EVENTS_REGION} failed",
                stack,
                "Mend the cause, and run the same command again: it goes on from there.",
            )
    assert stack  # noqa: S101  # without changes it exists
    return {"EventsQueueUrl": stack.outputs["QueueUrl"], "EventsPolicyArn": stack.outputs["PolicyArn"]}
