"""`python -m sandbox.example`: runs the example product with Foyer's settings until it is stopped."""

import os
import signal
from pathlib import Path

import click

from app.config import products, settings
from app.config.setting_checks import split_commas
from sandbox import remote_clock
from sandbox.example.server import SITE_URL, ExampleProduct, UsageSettings

STOP_SIGNALS = {signal.SIGINT, signal.SIGTERM}


@click.command()
@click.option("--port", envvar="EXAMPLE_PORT", default=8003, show_default=True, help="0 takes any free port.")
@click.option("--state", type=click.Path(path_type=Path, dir_okay=False), help="A JSON file to save the tenants in.")
def command(port: int, state: Path | None) -> None:
    """Run an example product that receives this seller's hand-offs."""
    values = settings.load()
    secrets = split_commas(values.handoff_secret or "")
    if not secrets:
        raise click.ClickException("HANDOFF_SECRET is not set. Set it to the secret that Foyer signs with.")
    # Blocked before any thread starts: all threads inherit the mask, so only `sigwait` below receives the signals.
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    listings, site_url = products.load(values).values(), values.site_url or SITE_URL
    try:
        usage = UsageSettings(os.environ.get("USAGE_API_TOKEN"), remote_clock.from_environment().now)
        with ExampleProduct(
            listings, secrets=secrets, site_url=site_url, state_path=state, port=port, usage=usage
        ) as example:
            click.echo(f"Example product {example.url}")
            signal.sigwait(STOP_SIGNALS)
    except OSError as error:
        raise click.ClickException(f"{error.strerror}. Choose another port: --port.") from None


if __name__ == "__main__":
    command()
