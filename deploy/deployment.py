"""`make deploy`: from the checks of the input to the doctor's answer."""

from datetime import UTC, datetime

import click

from deploy import (
    account_checks,
    certificates,
    change_sets,
    console,
    events_stack,
    failures,
    images,
    mail_identity,
    products_files,
    settings_check,
    stack_states,
    stacks,
    templates,
    zones,
)
from deploy.account import EVENTS_REGION, Account
from deploy.change_sets import Request
from deploy.errors import DeployError
from deploy.images import PRODUCTS_PATH, ImageRequest
from deploy.options import DeployOptions
from deploy.progress import Follower
from deploy.stacks import Stack
from deploy.stopped_tasks import StoppedTasks
from deploy.tasks import OneOffTask

CERTIFICATE = "Certificate"


class Deployment:
    """One run of `make deploy`."""

    def __init__(self, account: Account, options: DeployOptions) -> None:
        self._account, self._options = account, options
        self._body, self._template = templates.read(options.template)
        self._values = dict(options.values)
        self._products: dict[str, bytes] = {}
        self._stack: Stack | None = None

    def run(self) -> None:
        """Deploy, and let the doctor examine what is deployed.

        Raises:
            DeployError: something has to be done first, the deployment failed, or the doctor found something.
        """
        templates.check_values(self._template, self._values)
        account = self._account
        console.say(f"Account {account.identity.account_id}, as {account.identity.arn}, Region {account.region}.")
        self._stack = stack_states.make_ready(account, self._options)
        self._check_input()
        self._check_account()
        self._complete_values()
        stack = self._change()
        self._finish(stack)

    def _value(self, name: str) -> str:
        """Return a parameter's value: the one asked for, the stack's, or the template's default."""
        earlier = self._stack.parameters if self._stack else {}
        default = self._template["Parameters"].get(name, {}).get("Default", "")
        return self._values.get(name, earlier.get(name, str(default)))

    def _all_values(self) -> dict[str, str]:
        return {name: self._value(name) for name in self._template["Parameters"]}

    def _check_input(self) -> None:
        if self._options.products_file:
            # Read once: the image has what its tag is the digest of, whatever is edited while it is built.
            self._products = products_files.read(self._options.products_file)
            self._values |= {"ProductsFile": PRODUCTS_PATH, "ProductCode": ""}
        elif self._values.get("ProductCode"):
            self._values.setdefault("ProductsFile", "")
        elif self._value("ProductsFile") == PRODUCTS_PATH and "Image" not in self._values:
            raise DeployError(
                "The stack's products are described in a file that is in its image, and a new image is built now.",
                "Name the file again: PRODUCTS_FILE=products.toml. To change nothing in the image, name it: IMAGE=...",
            )
        if not self._value("DomainName"):
            raise DeployError(
                "There is no domain.", "Name the host at which buyers find Foyer: DOMAIN=start.acme.example"
            )
        if not self._value("ProductCode") and not self._value("ProductsFile"):
            raise DeployError(
                "There is no product.",
                "Name your listing's product code, PRODUCT_CODE=..., or a file with several: "
                "PRODUCTS_FILE=products.toml.",
            )
        settings_check.check(self._template, self._all_values(), self._options.products_file)

    def _check_account(self) -> None:
        account, name = self._account, self._options.stack_name
        account_checks.warn_unless_publisher(account)
        if self._stack is None:
            account_checks.refuse_second_region(account, name)
            self._values.setdefault("QueueName", f"{name}-events")
            events = None if account.region == EVENTS_REGION else events_stack.find(account, name)
            if events is None or events.is_in_review:
                account_checks.refuse_taken_queue(account, self._value("QueueName"))
            else:
                account_checks.confirm_shared_events(account, events, is_yes=self._options.is_yes)
            account_checks.refuse_taken_log_group(account, name)
        if "MailFrom" in self._options.values and self._value("MailFrom") and "MailIdentityArn" not in self._values:
            self._values["MailIdentityArn"] = mail_identity.find(account, self._value("MailFrom"))
        if self._value("ZoneId"):
            if self._stack is None or {"ZoneId", "DomainName"} & self._options.values.keys():
                zones.check(account, self._value("ZoneId"), self._value("DomainName"))
        elif "CertificateArn" not in self._options.values and (
            not self._value("CertificateArn") or "DomainName" in self._options.values
        ):
            arn = certificates.find_or_request(account, self._value("DomainName"), self._options.wait)
            self._values["CertificateArn"] = arn

    def _complete_values(self) -> None:
        """Add what only now can be made: the events' stack in us-east-1, and the image."""
        if self._account.region != EVENTS_REGION:
            self._values |= events_stack.deploy(self._account, self._options, self._all_values())
        architecture = self._options.values.get("Architecture", "")
        request = ImageRequest(self._options.values.get("Image", ""), self._products, architecture)
        image = images.provide(self._account, self._options.stack_name, request, self._options.poll_seconds)
        self._values["Image"] = image.uri
        if image.architecture:
            self._values["Architecture"] = image.architecture

    def _change(self) -> Stack:
        account, options = self._account, self._options
        request = Request(options.stack_name, self._body, self._template, self._values, self._stack)
        change_set = change_sets.create(account, request, options.poll_seconds)
        if change_set is None and self._stack:
            console.say("", "Nothing has changed: the stack is as it should be.")
            return self._stack
        assert change_set  # noqa: S101  # a new stack always changes something
        try:
            change_sets.show(account, change_set, request)
            change_sets.refuse_loss(change_set, request)
            if not console.confirm("Go on?", is_yes=options.is_yes):
                raise DeployError("Nothing was changed.")
        except (DeployError, KeyboardInterrupt):
            change_sets.discard(account, change_set)
            raise
        return self._execute(change_set)

    def _execute(self, change_set: change_sets.ChangeSet) -> Stack:
        stopped = StoppedTasks(self._account, self._options.stack_name)
        follower = Follower(self._account, change_set.stack_id, poll_seconds=self._options.poll_seconds)
        stopped.skip_earlier(change_set.stack_id)
        first = "The first time takes about 15 minutes, most of it for the database."
        console.heading(f"AWS works. {'An update takes about five minutes.' if self._stack else first}")

        def look(follower: Follower) -> None:
            stopped.look(follower)
            self._limit_certificate(follower)

        goes_on = self._stack is not None and self._stack.status in stacks.HALFWAY
        stack = change_sets.execute(self._account, change_set, follower, look, goes_on=goes_on)
        if stack.status not in {"CREATE_COMPLETE", "UPDATE_COMPLETE"}:
            stopped.print_new(change_set.stack_id)
            raise self._explain(stack, follower)
        return stack

    def _limit_certificate(self, follower: Follower) -> None:
        started = follower.running.get(CERTIFICATE)
        minutes = self._options.wait.minutes
        if not started or (datetime.now(UTC) - started).total_seconds() < minutes * 60:
            return
        client = self._account.client("cloudformation")
        if self._stack is None:
            stacks.unprotect_databases(self._account, follower.stack_id)
            client.delete_stack(StackName=follower.stack_id)
        else:
            client.cancel_update_stack(StackName=follower.stack_id)
        domain, zone = self._value("DomainName"), self._value("ZoneId")
        raise DeployError(
            f"The certificate of {domain} was not validated in {minutes:.0f} minutes. The deployment is being undone.",
            f"AWS looks for a record that the stack has put into the zone {zone}. Check that the internet asks this "
            f"zone, and that no CAA record of the domain forbids amazon.com:\n"
            f"  dig +short NS {domain.partition('.')[2]}\n  dig +short CAA {domain}\n"
            f"  aws route53 get-hosted-zone --id {zone}",
            "Then run the same command again. CERTIFICATE_MINUTES=... waits longer.",
        )

    def _explain(self, stack: Stack, follower: Follower) -> DeployError:
        reasons = []
        for failure in follower.failures:
            explained = failures.explain_reason(failure.reason)
            words = f"\n(AWS says: {explained.aws_words})" if explained.aws_words else ""
            reasons.append("\n".join([f"{failure.name}: {explained.what}", *explained.to_do]) + words)
        if stack.status.startswith("UPDATE_ROLLBACK"):
            after = "The update was undone: everything is as it was before."
            if stack.status.endswith("FAILED"):
                after = "It could not be undone wholly, either. Run the same command again: it offers what can be done."
        else:
            after = "What was made is kept. Mend the cause, and run the same command again: it goes on from there."
        return DeployError(f"The deployment failed ({stack.status}).", *(reasons or [stack.reason]), after)

    def _finish(self, stack: Stack) -> None:
        console.heading("The doctor examines it, in a task of its own. That takes a minute.")
        status = OneOffTask(self._account, stack, self._options.poll_seconds).run(["doctor"])
        if status:
            raise DeployError(
                f"Foyer is deployed, but the doctor found something that has to be mended (status {status}).",
                "Its lines above say what to do. To ask it again:\n"
                f'  make remote {self._account.variables(stack.name)} ARGS="doctor"',
            )
        print_summary(self._account, stack)


def print_summary(account: Account, stack: Stack) -> None:
    """Print the addresses and commands that are needed next."""
    console.heading("Foyer is deployed.")
    click.echo(f"  Fulfillment URL for your listing:  {stack.outputs.get('FulfillmentUrl', '')}")
    if not stack.parameters.get("ZoneId"):
        console.say("Add this record to the domain's DNS, if it is not there yet:")
        click.echo(f"  {stack.outputs.get('DnsRecord', '')}")
    if stack.parameters.get("AlarmEmail"):
        console.say(f"Open the link in SNS's mail to {stack.parameters['AlarmEmail']}: before that, no alarm is sent.")
    console.say("To run the doctor again, or any other command of foyer:")
    click.echo(f'  make remote {account.variables(stack.name)} ARGS="doctor"')
    console.say("Logs:")
    click.echo(f"  {stack.outputs.get('LogsUrl', '')}")
