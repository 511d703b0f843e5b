"""`make undeploy`: removes what runs and keeps the database; or removes that as well, with a last snapshot."""

import json
from dataclasses import dataclass

import click

from deploy import change_sets, console, events_stack, kept_template, registry, stacks, templates
from deploy.account import EVENTS_REGION, Account
from deploy.change_sets import Request
from deploy.errors import DeployError
from deploy.progress import Follower
from deploy.stacks import Resource, Stack

# Counted for us-east-1 in docs/deploy.md: db.t4g.micro and 20 GB, and a secret.
DATABASE_COST = "about 14 USD a month for the smallest class"
KEYS_COST = "0.40 USD a month"
KEPT_TYPE = "AWS::SecretsManager::Secret"
# The database's password is not needed again: a new stack sets its own.
KEPT_SECRETS = ("KeysArn", "HandoffSecretArn")


@dataclass(frozen=True)
class Undeployment:
    """One run of `make undeploy`."""

    account: Account
    stack_name: str
    deletes_database: bool
    is_yes: bool
    poll_seconds: float

    def run(self) -> None:
        """Remove the stack, or what runs in it.

        Raises:
            DeployError: there is no such stack, somebody said no, or something could not be deleted.
        """
        account = self.account
        console.say(f"Account {account.identity.account_id}, as {account.identity.arn}, Region {account.region}.")
        beside = self._find_beside() if self.deletes_database else []
        if beside and stacks.find(account, self.stack_name) is None:
            self._delete_rest(beside)
            return
        stack = stacks.get(account, self.stack_name)
        if stack.is_busy:
            raise DeployError(
                f"Something else changes stack {stack.name} at the moment ({stack.status}).",
                "Run the same command again when it is done.",
            )
        if self.deletes_database:
            self._delete_all(stack, beside)
        else:
            self._keep_database(stack)

    def _keep_database(self, stack: Stack) -> None:
        if stack.status not in stacks.READY:
            raise DeployError(
                f"Stack {stack.name} is in the state {stack.status}, in which nothing can be taken out of it.",
                f"Deploy it again first, or delete all of it, with a last snapshot of the database:\n"
                f"  make undeploy {self.account.variables(stack.name)} DATABASE=delete",
            )
        kept = kept_template.reduce(templates.parse(stacks.template_of(self.account, stack.id)))
        body = json.dumps(kept, separators=(",", ":"))
        request = Request(stack.name, body, kept, {}, stack)
        change_set = change_sets.create(self.account, request, self.poll_seconds)
        if change_set is None:
            console.say("There is nothing to remove: the stack has only what is kept.")
            return
        change_sets.show(self.account, change_set, request)
        console.say("", "The database is kept, with its secrets, the queue of events and the network.")
        if not console.confirm("Remove everything else? Buyers get no answer from then on.", is_yes=self.is_yes):
            change_sets.discard(self.account, change_set)
            raise DeployError("Nothing was changed.")
        follower = Follower(self.account, stack.id, poll_seconds=self.poll_seconds)
        after = change_sets.execute(self.account, change_set, follower)
        if after.status != "UPDATE_COMPLETE" or follower.failures:
            raise _left(after, follower)
        self._print_kept(after)

    def _print_kept(self, stack: Stack) -> None:
        console.heading("Foyer no longer runs. These are kept:")
        click.echo(f"  the database {stack.outputs.get('DatabaseId', '')}: {DATABASE_COST}")
        click.echo(f"  its secrets: {KEYS_COST} each")
        click.echo("  the queue, in which AWS Marketplace's events wait for two weeks")
        click.echo("  the network and the images, which cost next to nothing")
        console.say("To deploy again, with the same data and settings:")
        click.echo(f"  make deploy {self.account.variables(stack.name)}")
        console.say("To delete the rest, with a last snapshot of the database:")
        click.echo(f"  make undeploy {self.account.variables(stack.name)} DATABASE=delete")

    def _delete_all(self, stack: Stack, beside: list[tuple[Stack, str]]) -> None:
        account = self.account
        console.confirm_by_name(
            f"All of stack {stack.name} is deleted, with its database. A last snapshot of the database is kept, and so "
            "are the secrets without which it cannot be read. Events that wait in the queue are lost.",
            stack.name,
        )
        made = stacks.resources(account, stack.id)
        follower = Follower(account, stack.id, poll_seconds=self.poll_seconds)
        stacks.unprotect_databases(account, stack.id)
        account.client("cloudformation").delete_stack(StackName=stack.id)
        left = follower.follow()
        if left.status != "DELETE_COMPLETE":
            raise _left(left, follower)
        # Before what may be interrupted: nobody could say it afterwards.
        self._print_remains(stack, made)
        self._delete_beside(beside)

    def _delete_rest(self, beside: list[tuple[Stack, str]]) -> None:
        """Go on with a deletion that was interrupted when the stack itself was gone."""
        names = " and ".join(stack.name for stack, _ in beside)
        console.confirm_by_name(f"Stack {self.stack_name} is gone. {names} is deleted as well.", self.stack_name)
        self._delete_beside(beside)

    def _find_beside(self) -> list[tuple[Stack, str]]:
        """Return the stacks of the images, and of the events where they are another Region's, each with its Region."""
        places = [(f"{self.stack_name}{registry.STACK_SUFFIX}", self.account.region)]
        if self.account.region != EVENTS_REGION:
            places.append((f"{self.stack_name}{events_stack.SUFFIX}", EVENTS_REGION))
        found = ((stacks.find(self.account, name, region), region) for name, region in places)
        return [(stack, region) for stack, region in found if stack]

    def _delete_beside(self, beside: list[tuple[Stack, str]]) -> None:
        for stack, region in beside:
            console.say(f"Stack {stack.name} in {region}:")
            follower = Follower(self.account, stack.id, region, self.poll_seconds)
            self.account.client("cloudformation", region).delete_stack(StackName=stack.id)
            left = follower.follow()
            if left.status != "DELETE_COMPLETE":
                raise _left(left, follower)

    def _print_remains(self, stack: Stack, made: list[Resource]) -> None:
        console.heading("The stack is deleted. This is kept:")
        databases = [item.physical_id for item in made if item.type == stacks.DATABASE_TYPE]
        snapshots = [name for database in databases if (name := self._last_snapshot(database))]
        for name in snapshots:
            click.echo(f"  snapshot {name}: about 0.10 USD a month for each GB stored")
        for item in made:
            if item.type == KEPT_TYPE:
                click.echo(f"  secret {item.logical_id}, {KEYS_COST}:\n    {item.physical_id}")
        values = [f"SnapshotId={name}" for name in snapshots[:1]]
        values += [f"{name}={stack.outputs[name]}" for name in KEPT_SECRETS if stack.outputs.get(name)]
        if not values:
            return
        console.say("To deploy again with the same data, name the domain and so on as at the first time, and these:")
        click.echo(f"  make deploy {self.account.variables(stack.name)} PRODUCT_CODE=... DOMAIN=... \\")
        click.echo(f'    PARAMETERS="{" ".join(values)}"')

    def _last_snapshot(self, database: str) -> str:
        pages = (
            self.account.client("rds")
            .get_paginator("describe_db_snapshots")
            .paginate(DBInstanceIdentifier=database, SnapshotType="manual")
        )
        made = [snapshot for page in pages for snapshot in page["DBSnapshots"] if "SnapshotCreateTime" in snapshot]
        newest = max(made, key=lambda snapshot: snapshot["SnapshotCreateTime"], default=None)
        return str(newest["DBSnapshotIdentifier"]) if newest else ""


def _left(stack: Stack, follower: Follower) -> DeployError:
    """Return the error that says what could not be deleted, and how to go on."""
    return follower.error("Not everything could be deleted", stack, "Mend that, and run the same command again.")
