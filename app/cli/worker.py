"""flask worker: does the background work until it is told to stop."""

import signal
import threading

import click
from flask.cli import with_appcontext

from app import worker


@click.command("worker")
@with_appcontext
def command() -> None:
    """Link purchases that AWS was slow to tell of, and keep to the retention. Any number may run at once.

    SIGTERM and Ctrl-C end it once what is under way is done.
    """
    stop = threading.Event()
    for stopping in (signal.SIGTERM, signal.SIGINT):
        signal.signal(stopping, lambda *_: stop.set())
    worker.run(stop)
