"""flask worker: does the background work until it is told to stop."""

import signal
import threading

import click
from flask.cli import with_appcontext

from app.worker import loop

STOP_SIGNALS = {signal.SIGINT, signal.SIGTERM}


@click.command("worker")
@with_appcontext
def command() -> None:
    """Link purchases that AWS was slow to tell of, and keep to the retention. Any number may run at once.

    SIGTERM and Ctrl-C end it once what is under way is done.
    """
    # Blocked before any thread starts, so that only the wait below sees them: a handler in the thread that works could
    # interrupt it while it holds the event's own lock, and both would wait for ever.
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    stop = threading.Event()
    threading.Thread(target=_wait_for_signal, args=(stop,), name="wait-to-stop", daemon=True).start()
    loop.run(stop)


def _wait_for_signal(stop: threading.Event) -> None:
    signal.sigwait(STOP_SIGNALS)
    stop.set()
