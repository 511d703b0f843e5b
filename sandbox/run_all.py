"""`make run`: runs the sandbox, the app, its worker and the example product until Ctrl-C."""

import os
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import click
from dotenv import dotenv_values
from honcho.manager import Manager

from app.config.settings import INSTANCE_DIR
from sandbox import environment, port_checks, ports, usage_token
from sandbox.terminal_printer import TerminalPrinter, stop_when_closed

READY_MESSAGE = """
  Foyer is running. Begin here:

    {storefront}    the pretend AWS Marketplace

  Choose a product there and subscribe, press "Set up your account", and register.
  Then confirm, renew or cancel the purchase, and Foyer follows.
  Press "Use 1.5 GB" in the product, and see on the storefront's page "Usage" what is billed.

    {app}    Foyer's pages, which "Set up your account" opens
    {example}    the example product, where a buyer ends
    {storefront}/gallery    every page and mail for buyers, without buying
    make foyer ARGS="subscriptions list"    in another terminal: what Foyer stored

  Only warnings are logged; LOG_LEVEL=INFO make run also logs each request.
  Ctrl-C stops everything. The next start has your purchases and registrations.
"""

NOT_ANSWERING_MESSAGE = """
  Not answering after {seconds:g} seconds:
{urls}
  Wait if this machine is slow or busy. Otherwise look above for lines marked {names}, open the address to see
  its error, or stop with Ctrl-C and start again with: LOG_LEVEL=INFO make run
"""

MIGRATION_FAILED_MESSAGE = """
The database could not be migrated (see above). Nothing was started. If another revision of Foyer made it, and you do
not need what is stored in {instance}, move that folder away and start again:

    mv {instance} {instance}-old
"""

STARTUP_TIMEOUT_SECONDS = 60

FLASK_COMMAND = (sys.executable, "-m", "flask", "--app", "wsgi")
# By the sandbox's clock, as gunicorn's workers are with this configuration.
FLASK_BY_CLOCK = (sys.executable, "-m", "sandbox.with_clock", "flask", "--app", "wsgi")
FOYER_BY_CLOCK = (sys.executable, "-m", "sandbox.with_clock", "foyer")
GUNICORN_CONFIG = Path(__file__).with_name("gunicorn_config.py")


def run() -> int:
    """Migrate the database, start every process, print their addresses, and return the exit status.

    Raises:
        SystemExit: a port cannot be used, or the database cannot be migrated.
    """
    chosen = environment.user_settings(os.environ, dotenv_values(".env"))
    chosen_ports = environment.choose_ports(chosen)
    port_checks.check(chosen_ports)
    settings = environment.add_defaults({**chosen, **chosen_ports})
    click.echo("Starting; this takes a few seconds ...")
    _migrate(settings)
    own_settings = {"example": usage_token.load_or_create(settings, INSTANCE_DIR)}
    manager = Manager(TerminalPrinter(colour=not settings.get("NO_COLOR")))
    for name, command in process_commands(settings).items():
        # exec replaces the shell, so that the process itself receives the stop signal.
        manager.add_process(name, f"exec {shlex.join(command)}", env={**settings, **own_settings.get(name, {})})
    signal.signal(signal.SIGHUP, _terminate_self)
    with environment.publish_ports(settings):
        _supervise(manager, settings)
    return 0 if manager.returncode == 128 + signal.SIGINT else int(manager.returncode)


def process_commands(settings: Mapping[str, str]) -> dict[str, list[str]]:
    """Return the command line of each process by its name."""
    binds = [
        f"--bind={f'[{host}]' if ':' in host else host}:{settings['APP_PORT']}" for host in ports.loopback_addresses()
    ]
    log_level = f"--log-level={settings['LOG_LEVEL'].lower()}"
    servers = f"{settings['AWS_PORT']},{settings['EXAMPLE_PORT']}"
    return {
        "sandbox": [
            *FLASK_COMMAND,
            "sandbox",
            f"--app-url={_app_url(settings)}/",
            f"--state={INSTANCE_DIR / 'sandbox.json'}",
        ],
        "app": [sys.executable, "-m", "gunicorn", f"--config={GUNICORN_CONFIG}", log_level, *binds],
        # Otherwise the worker's first look at the queue fails, and so does a hand-off that waited for this start: their
        # errors would be the first thing that a newcomer sees.
        "worker": [sys.executable, "-m", "sandbox.start_after", servers, *FLASK_BY_CLOCK, "worker"],
        "example": [sys.executable, "-m", "sandbox.example", f"--state={INSTANCE_DIR / 'example.json'}"],
    }


def _migrate(settings: Mapping[str, str]) -> None:
    migration = subprocess.run([*FLASK_COMMAND, "db", "upgrade"], env=settings, check=False)  # noqa: S603  the command is ours
    if migration.returncode:
        raise SystemExit(MIGRATION_FAILED_MESSAGE.format(instance=os.path.relpath(INSTANCE_DIR)))


def _supervise(manager: Manager, settings: Mapping[str, str]) -> None:
    stopped = threading.Event()
    announcement = threading.Thread(target=announce_when_ready, args=(settings, stopped, STARTUP_TIMEOUT_SECONDS))
    announcement.start()
    stop_when_closed(sys.stdout.fileno())
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
