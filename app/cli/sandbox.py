"""foyer sandbox: runs the pretend AWS Marketplace, which sells this app's products, until it is stopped."""

import signal
from pathlib import Path

import click
from flask.cli import with_appcontext

from app.config import products

STOP_SIGNALS = {signal.SIGINT, signal.SIGTERM}


@click.command("sandbox", context_settings={"show_default": True})
@click.option("--storefront-port", envvar="STOREFRONT_PORT", default=8001, help="0 picks a free port.")
@click.option("--aws-port", envvar="AWS_PORT", default=8002, help="0 picks a free port.")
@click.option("--app-url", default="http://localhost:8000/", help='Where "Set up your account" sends buyers.')
@click.option("--state", type=click.Path(path_type=Path, dir_okay=False), help="A JSON file to store the purchases in.")
@with_appcontext
def command(storefront_port: int, aws_port: int, app_url: str, state: Path | None) -> None:
    """Run a pretend AWS Marketplace on this machine."""
    try:
        from sandbox.server import Sandbox  # noqa: PLC0415  production has no moto
    except ModuleNotFoundError as error:
        raise click.ClickException(f"{error}. The sandbox needs: pip install -r requirements-dev.txt") from None
    # Block the signals before any thread starts: threads inherit the mask, so only the sigwait below receives them.
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    ports = {"aws_port": aws_port, "storefront_port": storefront_port}
    sandbox = Sandbox(products.current().values(), app_url=app_url, state_path=state, **ports)
    try:
        with sandbox:
            click.echo(f"Storefront {sandbox.storefront_url}, AWS endpoint {sandbox.aws_url}")
            signal.sigwait(STOP_SIGNALS)
    except OSError as error:
        raise click.ClickException(f"{error.strerror}. Choose other ports: --storefront-port, --aws-port.") from None
