"""Who is at the command: named in the record of what they do."""

import getpass
from collections.abc import Callable
from typing import Any

import click

LONGEST_NAME = 100


def acting(option_help: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return the option --by, which gives a command the actor for the record, as in operator:alice."""
    told = f"{option_help} [default: who is logged in]"
    return click.option("--by", "actor", default=_user, callback=_actor, metavar="NAME", help=told)


def one_line(_ctx: click.Context, _option: click.Parameter, name: str) -> str:
    """Return the name that was typed; refuse one that would spoil a record or a table."""
    if not name.strip() or not name.isprintable() or len(name) > LONGEST_NAME:
        raise click.BadParameter(f"Give a name of at most {LONGEST_NAME} characters, on one line.")
    return name.strip()


def _actor(ctx: click.Context, option: click.Parameter, name: str) -> str:
    return f"operator:{one_line(ctx, option, name)}"


def _user() -> str:
    try:
        return getpass.getuser()
    except (ImportError, KeyError, OSError):  # a container's user may have no name
        return "unnamed"
