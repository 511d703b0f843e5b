"""`make production`: the run at the template's own waits. Prints its counts; exits 1 if something was lost."""

import argparse
import sys
from contextlib import ExitStack
from dataclasses import replace

from sandbox.server import Sandbox
from tests.production import images, releases, run
from tests.support import factories

REGISTERED_AT_LEAST = 100


def run_all(speed: float) -> bool:
    """Print the report of each run; return whether nothing was lost, and no buyer saw a failure."""
    is_lossless = True
    for runner in (run.run_on_empty_database, releases.run_side_by_side):
        with ExitStack() as stack:
            folder = stack.enter_context(images.open_folder())
            sandbox = stack.enter_context(Sandbox(factories.products()))
            report = runner(stack, folder, sandbox, replace(run.LONG, speed=speed))
            print(report, flush=True)
            is_lossless &= report.is_lossless(REGISTERED_AT_LEAST)
    return is_lossless


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.production", description=__doc__)
    parser.add_argument("--speed", type=float, default=1, help="how many times faster health checks and drains pass")
    sys.exit(0 if run_all(parser.parse_args().speed) else "SOMETHING WAS LOST, REPEATED OR ANSWERED WRONGLY")
