"""What the commands that read the database share: they run once it is ready, and say so when it is not."""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import click
from flask.cli import with_appcontext

from app.errors import DatabaseUnavailable
from app.services.operations import readiness

P = ParamSpec("P")
T = TypeVar("T")


def with_database(command: Callable[P, T]) -> Callable[P, T]:
    """Make a command run in the application's context, with a database that can be reached and is migrated."""

    @with_appcontext
    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        if obstacle := readiness.find_problem():
            raise click.ClickException(obstacle)
        try:
            return command(*args, **kwargs)
        except DatabaseUnavailable:
            raise click.ClickException(
                "The database stopped answering. What was written is not complete: run the command again."
            ) from None

    return run
