"""`python -m deploy deploy|undeploy|run`: each option is also a variable of make, such as STACK."""

import re
import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from botocore.exceptions import BotoCoreError, ClientError

from deploy import console, failures, stacks, templates
from deploy.account import EVENTS_REGION, Account
from deploy.certificates import Wait
from deploy.deployment import Deployment
from deploy.errors import DeployError
from deploy.options import DeployOptions, parse_parameters
from deploy.tasks import OneOffTask
from deploy.undeployment import Undeployment

# Its resources' names begin with it; the longest is an alarm's.
STACK_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,49}")
DOMAIN = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)+")
# The variables of make that are parameters of the template.
PARAMETERS = {
    "product_code": "ProductCode",
    "domain": "DomainName",
    "zone": "ZoneId",
    "image": "Image",
    "mail_from": "MailFrom",
    "alarm_email": "AlarmEmail",
}
DEFAULT_POLL_SECONDS = 5.0

Command = Callable[..., None]


def option(name: str, help_text: str, **arguments: Any) -> Callable[[Command], Command]:
    """Return an option that is also the environment variable of this name in capitals."""
    envvar = name.upper().replace("-", "_")
    return click.option(f"--{name}", envvar=envvar, help=help_text, show_default=True, **arguments)


def common(command: Command) -> Command:
    """Add the options that every command has."""
    for add in (
        click.option(
            "--poll-seconds", envvar="DEPLOY_POLL_SECONDS", type=float, default=DEFAULT_POLL_SECONDS, hidden=True
        ),
        option("region", "The Region.", default=EVENTS_REGION),
        option("stack", "The stack's name, such as foyer.", default=""),
    ):
        command = add(command)
    return command


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
def program() -> None:
    """Deploy Foyer to AWS, remove it, and run its commands there. See docs/deploy.md."""


@program.command()
@common
@option("product-code", "Your listing's product code.", default="")
@option("products-file", "A products.toml, in place of the product code.", default="")
@option("domain", "The host at which buyers find Foyer, such as start.acme.example.", default="")
@option("zone", "The id of the domain's hosted zone in Route 53, if it has one.", default="")
@option("image", "An image that is in a registry already. Otherwise one is built from this folder.", default="")
@option("mail-from", "The sender of mails, such as: Acme <start@acme.example>", default="")
@option("alarm-email", "Where alarms are sent to.", default="")
@option("parameters", "Further parameters of the template: Name=value Name='another value'", default="")
@option("certificate-minutes", "How long to wait for a certificate.", type=float, default=30)
@option("template", "Another template than deploy/production.yaml.", default=str(templates.PRODUCTION))
@option("wait", "1: wait for the certificate, and for what else changes the stack.", type=bool, default=False)
@option("yes", "1: answer yes. The loss of a database is asked all the same.", type=bool, default=False)
def deploy(stack: str, region: str, poll_seconds: float, **options: Any) -> None:
    """Build and push the image, deploy the stack, and let the doctor examine it."""
    with _plain_errors(region, stack) as account:
        values = {parameter: options[name].strip() for name, parameter in PARAMETERS.items() if options[name]}
        values = parse_parameters(options["parameters"]) | values
        if "DomainName" in values:
            values["DomainName"] = _domain(values["DomainName"])
        deploy_options = DeployOptions(
            stack_name=stack,
            values=values,
            products_file=Path(options["products_file"]) if options["products_file"] else None,
            template=Path(options["template"]),
            is_yes=options["yes"],
            wait=Wait(options["wait"], options["certificate_minutes"], poll_seconds),
        )
        Deployment(account, deploy_options).run()


@program.command()
@common
@option("database", "delete: delete the database as well, with a last snapshot.", default="keep")
@option("yes", "1: answer yes. The deletion of the database is asked all the same.", type=bool, default=False)
def undeploy(stack: str, region: str, poll_seconds: float, database: str, *, yes: bool) -> None:
    """Remove what runs and costs, and keep the database unless told otherwise."""
    with _plain_errors(region, stack) as account:
        if database not in {"keep", "delete"}:
            raise DeployError(f"DATABASE={database} is neither keep nor delete.", "Leave it out to keep the database.")
        Undeployment(account, stack, database == "delete", yes, poll_seconds).run()


@program.command()
@common
@option("args", 'The command: ARGS="customer 1234-5678-9012"', default="")
def run(stack: str, region: str, poll_seconds: float, args: str) -> None:
    """Run a command of foyer in the stack, print its output, and end with its exit status."""
    with _plain_errors(region, stack) as account:
        try:
            arguments = shlex.split(args)
        except ValueError as error:
            raise DeployError(f"ARGS cannot be read: {error}.") from None
        if not arguments:
            raise DeployError("There is no command to run.", 'Name one, as in: make remote STACK=foyer ARGS="status"')
        sys.exit(OneOffTask(account, stacks.get(account, stack), poll_seconds).run(arguments))


@contextmanager
def _plain_errors(region: str, stack: str) -> Iterator[Account]:
    """Yield the account; print what goes wrong in plain words, and end with its status."""
    account = None
    try:
        _check_stack_name(stack)
        account = Account(region)
        yield account
    except DeployError as error:
        console.fail(error)
        sys.exit(error.status)
    except (ClientError, BotoCoreError) as error:
        console.fail(failures.explain_call(error))
        sys.exit(1)
    except KeyboardInterrupt:
        console.fail(DeployError("Stopped.", "Run the same command again to go on."))
        sys.exit(130)
    finally:
        if account:
            account.close()


def _check_stack_name(name: str) -> None:
    if not name:
        raise DeployError("There is no stack to name everything after.", "Add STACK=foyer, or another name.")
    if not STACK_NAME.fullmatch(name):
        raise DeployError(
            f"STACK={name} is no name of a stack.", "Use up to 50 letters, digits and hyphens, beginning with a letter."
        )


def _domain(value: str) -> str:
    """Return the domain in lower case.

    Raises:
        DeployError: it is an address, or no host name.
    """
    domain = value.lower().rstrip(".")
    if "/" in domain or ":" in domain:
        raise DeployError(f"DOMAIN={value} is an address.", "Name only its host, such as start.acme.example.")
    if not DOMAIN.fullmatch(domain):
        raise DeployError(f"DOMAIN={value} is no host name.", "Write it as start.acme.example.")
    return domain


if __name__ == "__main__":
    program(prog_name="python -m deploy")
