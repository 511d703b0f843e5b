"""The commands of `foyer`, and of `flask --app wsgi`. Each module is imported only when its command runs."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, cast

import click

if TYPE_CHECKING:
    from flask import Flask
    from flask.cli import AppGroup

# By the command's name, its module and its summary, which fits a line of 80 columns.
COMMANDS = {
    "api-tokens": ("app.cli.api_tokens", "Create, list and revoke the tokens of the API."),
    "customer": ("app.cli.customer", "Show everything of one customer, and what is wrong."),
    "db": ("app.cli.migrations", "Migrate the database."),
    "doctor": ("app.cli.doctor", "Check the settings, AWS, the database and the worker."),
    "drafts": ("app.cli.drafts", "List and erase what buyers typed and have not sent."),
    "events": ("app.cli.events", "List, show and replay AWS Marketplace's events."),
    "handoffs": ("app.cli.handoffs", "List, show and retry hand-offs to your product."),
    "invitations": ("app.cli.invitations", "List and revoke invitations of colleagues."),
    "mails": ("app.cli.mails", "List and retry mails."),
    "products": ("app.cli.products", "Check the products file."),
    "registrations": ("app.cli.registrations", "List, show, export and erase registrations."),
    "resolve-customer": ("app.cli.resolve_customer", "Resolve a registration token, like the AWS CLI."),
    "sandbox": ("app.cli.sandbox", "Run a pretend AWS Marketplace on this machine."),
    "status": ("app.cli.status", "Count sign-ups, what waits and what failed."),
    "subscriptions": ("app.cli.subscriptions", "List and show subscriptions."),
    "usage": ("app.cli.usage", "Import, list, show and export usage, and what is wrong."),
    "worker": ("app.cli.worker", "Read events, send hand-offs and mails, and clean up."),
}


class LazyGroup(click.Group):
    """A command group that imports a command's module on first use, and nothing, not even Flask, to list them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return all names, without importing their modules."""
        return sorted({*super().list_commands(ctx), *COMMANDS})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command, importing its module; None if there is no such command."""
        if cmd_name not in COMMANDS:
            return super().get_command(ctx, cmd_name)
        command: click.Command = import_module(COMMANDS[cmd_name][0]).command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write the names with their summaries."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in COMMANDS.items()])


def init_app(app: Flask) -> None:
    """Install the commands on the application."""
    # Flask's own group adds a decorator that no command of ours needs.
    app.cli = cast("AppGroup", LazyGroup(app.name))
