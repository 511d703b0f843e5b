"""The operator's name, for the audit entry of what a command changes."""

import getpass
from collections.abc import Callable
from typing import Any

import click

MAX_NAME_LENGTH = 100


def by_option(option_help: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return the decorator that adds --by; the command gets the parameter `actor`, as in operator:alice."""
    help_text = f"{option_help} [default: your login name]"
    return click.option("--by", "actor", default=_login_name, callback=_to_actor, metavar="NAME", help=help_text)


def validate_name(_ctx: click.Context, _option: click.Parameter, name: str) -> str:
    """Return the name without surrounding spaces; refuse one that would break an audit entry or a table."""
    if not name.strip() or not name.isprintable() or len(name) > MAX_NAME_LENGTH:
        raise click.BadParameter(f"Give a name of at most {MAX_NAME_LENGTH} characters, on one line.")
    return name.strip()


def _to_actor(ctx: click.Context, option: click.Parameter, name: str) -> str:
    return f"operator:{validate_name(ctx, option, name)}"


def _login_name() -> str:
    try:
        return getpass.getuser()
    except (ImportError, KeyError, OSError):  # a container's user may have no name
        return "unnamed"
