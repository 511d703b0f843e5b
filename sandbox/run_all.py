"""`make run`: runs the sandbox, the app, its worker and the example product until Ctrl-C."""

import os
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import click
from dotenv import dotenv_values
from honcho.manager import Manager
from honcho.printer import Message, Printer

from app.config.settings import INSTANCE_DIR
from sandbox import environment, ports

READY_MESSAGE = """
  Foyer is running. Open:

    {storefront}    the pretend AWS Marketplace: subscribe, set up your account,
                             then confirm, renew, cancel: the app follows
    {app}    the app, which opens from the storefront
    {example}    the example product: it receives the hand-offs, and can simulate failures

  Ctrl-C stops everything. Purchases and registrations are saved for the next start.
"""

NOT_ANSWERING_MESSAGE = """
  Not answering after {seconds:g} seconds:
{urls}
  Look above for the last lines marked {names}. Open the address to see its error. Ctrl-C stops everything.
"""

STARTUP_TIMEOUT_SECONDS = 60

FLASK_COMMAND = (sys.executable, "-m", "flask", "--app", "wsgi")
FOYER_COMMAND = (sys.executable, "-m", "app.cli")


class TerminalPrinter(Printer):  # type: ignore[misc]  # honcho has no types
    """Prints the output of every process until the terminal is closed."""

    def write(self, message: Message) -> None:
        """Print one line."""
        try:
            super().write(message)
        except OSError:
            # The terminal was closed, or Ctrl-C also ended a `tee`. Without this, the processes would not be stopped.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def run() -> int:
    """Migrate the database, start every process, print their addresses, and return the exit status.

    Raises:
        SystemExit: a port is in use, or the database cannot be migrated.
    """
    settings = environment.add_defaults(environment.user_settings(os.environ, dotenv_values(".env")))
    ports.check_free({name: settings[name] for name in environment.DEFAULT_PORTS})
    _migrate(settings)
    click.echo("Starting ...")
    manager = Manager(TerminalPrinter())
    for name, command in process_commands(settings).items():
        # exec replaces the shell, so that the process itself receives the stop signal.
        manager.add_process(name, f"exec {shlex.join(command)}", env=settings)
    signal.signal(signal.SIGHUP, _terminate_self)
    _supervise(manager, settings)
    return 0 if manager.returncode == 128 + signal.SIGINT else int(manager.returncode)


def process_commands(settings: Mapping[str, str]) -> dict[str, list[str]]:
    """Return the command line of each process by its name."""
    binds = [
        f"--bind={f'[{host}]' if ':' in host else host}:{settings['APP_PORT']}" for host in ports.loopback_addresses()
    ]
    return {
        "sandbox": [
            *FLASK_COMMAND,
            "sandbox",
            f"--app-url={_app_url(settings)}/",
            f"--state={INSTANCE_DIR / 'sandbox.json'}",
        ],
        "app": [sys.executable, "-m", "gunicorn", "--config=gunicorn.conf.py", *binds],
        # Otherwise the worker's first look at the queue fails, and its error is the first thing that a newcomer sees.
        "worker": [sys.executable, "-m", "sandbox.start_after", settings["AWS_PORT"], *FLASK_COMMAND, "worker"],
        "example": [sys.executable, "-m", "sandbox.example", f"--state={INSTANCE_DIR / 'example.json'}"],
    }


def _migrate(settings: Mapping[str, str]) -> None:
    click.echo("Preparing the database ...")
    migration = subprocess.run([*FLASK_COMMAND, "db", "upgrade"], env=settings, check=False)  # noqa: S603  the command is ours
    if migration.returncode:
        raise SystemExit("The database could not be migrated (see above). Nothing was started.")


def _supervise(manager: Manager, settings: Mapping[str, str]) -> None:
    stopped = threading.Event()
    announcement = threading.Thread(target=announce_when_ready, args=(settings, stopped, STARTUP_TIMEOUT_SECONDS))
    announcement.start()
    try:
        manager.loop()
    finally:
        stopped.set()
        announcement.join()


def announce_when_ready(settings: Mapping[str, str], stopped: threading.Event, timeout_seconds: float) -> None:
    """Print the addresses once all of them answer; after the timeout, print the ones that do not."""
    app = _app_url(settings)
    storefront, example = (f"http://127.0.0.1:{settings[port]}" for port in ("STOREFRONT_PORT", "EXAMPLE_PORT"))
    pending = {f"{app}/readyz": "app", storefront: "sandbox", example: "example"}
    report = threading.Timer(timeout_seconds, _report_not_answering, (pending, timeout_seconds))
    report.start()
    with ThreadPoolExecutor() as pool:
        for url in tuple(pending):
            pool.submit(_wait_for_url, url, pending, stopped)
    report.cancel()
    if not pending:
        click.echo(READY_MESSAGE.format(app=app, storefront=storefront, example=example))


def _wait_for_url(url: str, pending: dict[str, str], stopped: threading.Event) -> None:
    if ports.wait_until_answering([url], stopped):
        del pending[url]


def _report_not_answering(pending: Mapping[str, str], seconds: float) -> None:
    # A copy, because the waiting threads delete from it.
    if names := dict(pending):
        urls = "\n".join(f"    {url}" for url in names)
        click.echo(NOT_ANSWERING_MESSAGE.format(seconds=seconds, urls=urls, names=" and ".join(names.values())))


def _app_url(settings: Mapping[str, str]) -> str:
    return f"http://localhost:{settings['APP_PORT']}"


def _terminate_self(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    try:
        sys.exit(run())
    except KeyboardInterrupt:
        sys.exit(0)
