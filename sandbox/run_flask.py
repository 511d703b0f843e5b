"""`make flask`: runs a flask command with the settings of `make run`, whether that is running or not."""

import os
import sys

from dotenv import dotenv_values

from sandbox import environment
from sandbox.run_all import FLASK_COMMAND


def run(arguments: list[str]) -> None:
    """Replace this process with the flask command."""
    settings = environment.add_defaults(environment.user_settings(os.environ, dotenv_values(".env")))
    # Without informational logs, the command's output is easy to read.
    command = [*FLASK_COMMAND, *arguments]
    os.execve(command[0], command, {"LOG_LEVEL": "WARNING", **settings})  # noqa: S606  the command is ours


if __name__ == "__main__":
    run(sys.argv[1:])
