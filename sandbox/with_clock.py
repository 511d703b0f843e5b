"""`python -m sandbox.with_clock flask|foyer ARGUMENTS...`: runs a command of Foyer's by the sandbox's clock."""

import runpy
import sys

from app.services.metering import clock
from sandbox import remote_clock

MODULES = {"flask": "flask", "foyer": "app.cli"}


def main(program: str, *arguments: str) -> None:
    """Date usage by the sandbox's clock, and run the program in this process."""
    clock.set_source(remote_clock.from_environment().now)
    sys.argv = [program, *arguments]
    runpy.run_module(MODULES[program], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
