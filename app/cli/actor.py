"""Who is at the command: named in the record of what they do."""

import getpass
from collections.abc import Callable
from typing import Any

import click

MAX_NAME_LENGTH = 100


def by_option(option_help: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return the option --by, which gives a command the actor for the record, as in operator:alice."""
    told = f"{option_help} [default: who is logged in]"
    return click.option("--by", "actor", default=_login_name, callback=_to_actor, metavar="NAME", help=told)


def validate_name(_ctx: click.Context, _option: click.Parameter, name: str) -> str:
    """Return the name that was typed; refuse one that would spoil a record or a table."""
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
