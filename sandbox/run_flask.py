"""`make flask`: runs a flask command with the settings of `make run`, beside it or without it."""

import os
import sys

from dotenv import dotenv_values

from sandbox import environment
from sandbox.run_all import FLASK_COMMAND


def run(arguments: list[str]) -> None:
    """Become the flask command with these arguments."""
    settings = environment.add_defaults(environment.user_settings(os.environ, dotenv_values(".env")))
    # What is asked for is to be read, not the log of the asking.
    command = [*FLASK_COMMAND, *arguments]
    os.execve(command[0], command, {"LOG_LEVEL": "WARNING", **settings})  # noqa: S606  the command is ours


if __name__ == "__main__":
    run(sys.argv[1:])
