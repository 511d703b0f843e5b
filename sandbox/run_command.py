"""`make foyer` and `make flask`: run a command with the settings of `make run`, whether that is running or not."""

import os
import sys
from collections.abc import Sequence

from dotenv import dotenv_values

from sandbox import environment
from sandbox.run_all import FLASK_BY_CLOCK, FOYER_BY_CLOCK

COMMANDS = {"flask": FLASK_BY_CLOCK, "foyer": FOYER_BY_CLOCK}


def run(program: str, arguments: Sequence[str]) -> None:
    """Replace this process with the program."""
    settings = environment.add_defaults(environment.user_settings(os.environ, dotenv_values(".env")))
    # Without informational logs, the command's output is easy to read.
    command = [*COMMANDS[program], *arguments]
    os.execve(command[0], command, {"LOG_LEVEL": "WARNING", **settings})  # noqa: S606  the command is ours


if __name__ == "__main__":
    run(sys.argv[1], sys.argv[2:])
