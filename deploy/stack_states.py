"""What each state of a stack means for a deployment, and what is done about it first."""

from deploy import console, stacks
from deploy.account import Account
from deploy.errors import DeployError
from deploy.options import DeployOptions
from deploy.progress import Follower, events_command
from deploy.stacks import Stack

UNFINISHED_DELETION = {"DELETE_FAILED", "ROLLBACK_FAILED", "IMPORT_ROLLBACK_FAILED"}


def make_ready(account: Account, options: DeployOptions) -> Stack | None:
    """Return the stack when a change set can be executed on it; None if it has to be made.

    Raises:
        DeployError: something else has to be done first, or somebody said no.
    """
    stack = stacks.find(account, options.stack_name)
    if stack and stack.is_busy:
        stack = _wait(account, stack, options)
    if stack is None or stack.status == "DELETE_COMPLETE":
        return None
    if stack.is_in_review:
        account.client("cloudformation").delete_stack(StackName=stack.id)
        return None
    if stack.status == "ROLLBACK_COMPLETE":
        _delete(account, stack, options)
        return None
    if stack.status == "UPDATE_ROLLBACK_FAILED":
        return _continue_rollback(account, stack, options)
    if stack.status in UNFINISHED_DELETION:
        raise _unfinished(account, stack)
    if stack.status in stacks.HALFWAY:
        console.say(
            f"The last deployment of {stack.name} stopped halfway ({stack.status}). This one goes on from there."
        )
    elif stack.status == "UPDATE_ROLLBACK_COMPLETE":
        console.say("The last update failed and was undone. The stack is as it was before.")
    return stack


def _wait(account: Account, stack: Stack, options: DeployOptions) -> Stack:
    since = f", since {stack.changed_at:%H:%M} UTC" if stack.changed_at else ""
    if not options.wait.waits:
        raise DeployError(
            f"Something else changes stack {stack.name} at the moment ({stack.status}{since}).",
            "Run the same command again when it is done, or with WAIT=1, which waits for it. To follow it:\n"
            + events_command(account.region, stack.name),
        )
    console.say(f"Waiting for what changes stack {stack.name} at the moment ({stack.status}{since}).")
    return Follower(account, stack.id, poll_seconds=options.poll_seconds).follow()


def _delete(account: Account, stack: Stack, options: DeployOptions) -> None:
    console.say(
        f"The first deployment of {stack.name} failed, and everything it had made was deleted again "
        "(ROLLBACK_COMPLETE). CloudFormation cannot update what is left, an empty stack; it has to be deleted first."
    )
    if not console.confirm(f"Delete the empty stack {stack.name}?", is_yes=options.is_yes):
        raise DeployError("Nothing was changed.")
    follower = Follower(account, stack.id, poll_seconds=options.poll_seconds)
    account.client("cloudformation").delete_stack(StackName=stack.id)
    left = follower.follow()
    if left.status != "DELETE_COMPLETE":
        raise _unfinished(account, left)


def _continue_rollback(account: Account, stack: Stack, options: DeployOptions) -> Stack:
    failed = [item for item in stacks.resources(account, stack.id) if item.status == "UPDATE_FAILED"]
    console.say(
        f"The last update of {stack.name} failed, and could not be undone, either (UPDATE_ROLLBACK_FAILED).",
        *(item.name_and_reason for item in failed),
        "If the cause is mended by now, AWS can go on undoing it.",
    )
    if not console.confirm("Go on undoing the last update?", is_yes=options.is_yes):
        raise DeployError("Nothing was changed.")
    follower = Follower(account, stack.id, poll_seconds=options.poll_seconds)
    account.client("cloudformation").continue_update_rollback(StackName=stack.id)
    left = follower.follow()
    if left.status == "UPDATE_ROLLBACK_COMPLETE":
        return left
    names = " ".join(item.logical_id for item in failed) or "NAME"
    raise DeployError(
        f"The last update of {stack.name} still cannot be undone.",
        *(failure.reason for failure in follower.failures),
        "Mend that, and run the same command again. What cannot be mended can be skipped; compare the skipped "
        "resources with the template afterwards:\n"
        f"  aws cloudformation continue-update-rollback --region {account.region} \\\n"
        f"    --stack-name {stack.name} --resources-to-skip {names}",
    )


def _unfinished(account: Account, stack: Stack) -> DeployError:
    failed = [item for item in stacks.resources(account, stack.id) if item.status == "DELETE_FAILED"]
    what = (
        "the first deployment failed, and not everything"
        if stack.status == "ROLLBACK_FAILED"
        else "it was deleted, but not everything of it"
    )
    return DeployError(
        f"Stack {stack.name} is in the state {stack.status}: {what} could be deleted.",
        *(item.name_and_reason for item in failed),
        f"Delete the rest, with a last snapshot of the database, and deploy again then:\n"
        f"  make undeploy {account.variables(stack.name)} DATABASE=delete",
    )
