"""foyer resolve-customer: works like the AWS CLI's `meteringmarketplace resolve-customer`, with Foyer's settings."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import click
from flask.cli import with_appcontext

from app.aws import cli_compat

SKELETON_KINDS = ("input", "output")
OPTIONS_WITH_VALUE = ("--registration-token", "--cli-input-json")


class AwsCliCommand(click.Command):
    """A command whose option errors and exit statuses are the AWS CLI's instead of click's."""

    allow_extra_args = True

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the options. Left-over arguments are counted, not shown, because one may be a token."""
        with _aws_cli_errors(ctx):
            # An option where a value should be: click would use it as the value.
            for option, value in pairwise(args):
                if option in OPTIONS_WITH_VALUE and value.startswith("-") and value != "-":
                    raise click.BadOptionUsage(option, "")
            if extra_args := super().parse_args(ctx, args):
                raise click.UsageError(f"Unknown options: {len(extra_args)} without a name")
            return extra_args

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command and print its errors as the AWS CLI does."""
        with _aws_cli_errors(ctx):
            return super().invoke(ctx)


@click.command("resolve-customer", cls=AwsCliCommand)
@click.option("--registration-token", metavar="VALUE", help="The token, or file://PATH to read it from a file.")
@click.option("--cli-input-json", metavar="JSON", help="The input as JSON, or file://PATH. An option overrides it.")
@click.option(
    "--generate-cli-skeleton",
    type=click.Choice(SKELETON_KINDS),
    is_flag=False,
    flag_value="input",
    help="Print a blank input (also without a value) or, after checking the input, a sample output. Sends nothing.",
)
@with_appcontext
def command(registration_token: str | None, cli_input_json: str | None, generate_cli_skeleton: str | None) -> None:
    """Resolve a registration token with AWS and print the customer who bought, as AWS returns it."""
    if registration_token is None and cli_input_json is None and generate_cli_skeleton != "input":
        raise click.UsageError("the following arguments are required: --registration-token")
    parameters = _parameters(registration_token, cli_input_json)
    match generate_cli_skeleton:
        case "input":
            response = cli_compat.input_skeleton()
        case "output":
            response = cli_compat.output_skeleton(parameters)
        case _:
            response = cli_compat.resolve_customer(parameters)
    click.echo(json.dumps(response, indent=4, ensure_ascii=False))


def _parameters(registration_token: str | None, cli_input_json: str | None) -> dict[str, Any]:
    parameters = {} if cli_input_json is None else _parse_json(_read_value("--cli-input-json", cli_input_json))
    if registration_token is not None:
        parameters["RegistrationToken"] = _read_value("--registration-token", registration_token)
    return parameters


def _parse_json(text: str) -> dict[str, Any]:
    try:
        parameters = json.loads(text)
    except ValueError:
        text = "Error parsing parameter 'cli-input-json': Invalid JSON received."
        raise cli_compat.invalid_input_error(text) from None
    if not isinstance(parameters, dict):
        reason = f"Invalid type: expecting map, received {type(parameters)}"
        raise cli_compat.invalid_input_error(f"Error parsing parameter '--cli-input-json': {reason}")
    return parameters


def _read_value(option: str, value: str) -> str:
    if not value.startswith("file://"):
        return value
    try:
        return Path(os.path.expandvars(value.removeprefix("file://"))).expanduser().read_text("utf-8")
    except (OSError, RuntimeError, UnicodeDecodeError) as error:
        reason = "text contents could not be decoded" if isinstance(error, UnicodeDecodeError) else error
        text = f"Error parsing parameter '{option}': Unable to load paramfile {value}: {reason}"
        raise cli_compat.invalid_input_error(text) from None


@contextmanager
def _aws_cli_errors(ctx: click.Context) -> Iterator[None]:
    try:
        yield
    except (click.UsageError, cli_compat.CommandError) as error:
        if isinstance(error, click.UsageError):
            error = cli_compat.invalid_input_error(f"{_error_message(error)}\n\n{ctx.get_usage()}")
        click.echo(f"\naws: [ERROR]: {error}", err=True)
        ctx.exit(error.exit_status)


def _error_message(error: click.UsageError) -> str:
    match error:
        case click.NoSuchOption():
            return f"Unknown options: {error.option_name}"
        case click.BadOptionUsage():
            return f"argument {error.option_name}: expected one argument"
        case click.BadParameter():
            choices = ", ".join(SKELETON_KINDS)
            return f"argument --generate-cli-skeleton: Found invalid choice, valid choices are: {choices}"
        case _:
            return error.message
