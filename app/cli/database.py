"""Checks the database before a command runs, and explains a failure to the operator."""

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
    """Run the command in the application's context; raise ClickException unless the database works and is migrated."""

    @with_appcontext
    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        if problem := readiness.find_problem():
            raise click.ClickException(problem)
        try:
            return command(*args, **kwargs)
        except DatabaseUnavailable:
            raise click.ClickException(
                "The database stopped answering. The output or the change may be incomplete: run the command again."
            ) from None

    return run
