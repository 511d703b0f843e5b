"""foyer worker: runs the background work until SIGTERM or Ctrl-C."""

import signal
import threading

import click
from flask.cli import with_appcontext

from app.worker import loop

STOP_SIGNALS = {signal.SIGINT, signal.SIGTERM}


@click.command("worker")
@with_appcontext
def command() -> None:
    """Read AWS events, send hand-offs and mails, retry pending tokens, and erase what is past its retention.

    Any number of workers may run at once. SIGTERM and Ctrl-C stop it after the work in progress.
    """
    # Block the signals before any thread starts, so that only the sigwait below receives them. A signal handler in the
    # main thread could run while that thread has the event's own lock, and then deadlock on it.
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    stop = threading.Event()
    threading.Thread(target=_wait_for_signal, args=(stop,), name="wait-to-stop", daemon=True).start()
    loop.run(stop)


def _wait_for_signal(stop: threading.Event) -> None:
    signal.sigwait(STOP_SIGNALS)
    stop.set()
