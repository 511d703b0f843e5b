"""The flask commands. Each module is imported only when its command runs, so web processes never load them."""

from importlib import import_module

import click
from flask import Flask
from flask.cli import AppGroup

COMMAND_MODULES = {
    "api-tokens": "app.cli.api_tokens",
    "db": "app.cli.migrations",
    "doctor": "app.cli.doctor",
    "drafts": "app.cli.drafts",
    "events": "app.cli.events",
    "handoffs": "app.cli.handoffs",
    "invitations": "app.cli.invitations",
    "mails": "app.cli.mails",
    "registrations": "app.cli.registrations",
    "resolve-customer": "app.cli.resolve_customer",
    "sandbox": "app.cli.sandbox",
    "subscriptions": "app.cli.subscriptions",
    "worker": "app.cli.worker",
}


class LazyGroup(AppGroup):
    """A command group that imports a command's module on first use."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return all names, without importing their modules."""
        return sorted({*super().list_commands(ctx), *COMMAND_MODULES})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command, importing its module; None if there is no such command."""
        if cmd_name not in COMMAND_MODULES:
            return super().get_command(ctx, cmd_name)
        command: click.Command = import_module(COMMAND_MODULES[cmd_name]).command
        return command


def init_app(app: Flask) -> None:
    """Install the commands on the application."""
    app.cli = LazyGroup(app.name)
