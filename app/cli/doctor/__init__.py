"""foyer doctor: checks that this machine is set up to register customers, and says how to fix what is not."""

from collections.abc import Callable

import click
from flask.cli import with_appcontext

from app.cli.doctor import aws, listings, local, masking
from app.errors import MarketplaceError

CHECKS = {
    "settings": local.check_settings,
    "products": local.check_products,
    "database": local.check_database,
    "clock": local.check_clock,
    "feed": local.check_feed,
    "signing keys": local.check_secret_keys,
    "rate limits": local.check_rate_counters,
    "credentials": aws.check_credentials,
    "ResolveCustomer": aws.check_resolve_customer,
    "GetEntitlements": aws.check_get_entitlements,
    "BatchMeterUsage": aws.check_batch_meter_usage,
    "dimensions": listings.check_dimensions,
    "events queue": aws.check_events_queue,
    "event rules": aws.check_event_rules,
    "hand-offs": local.check_handoffs,
    "mail": local.check_mail,
    "worker": local.check_worker,
}


@click.command("doctor")
@click.pass_context
@with_appcontext
def command(ctx: click.Context) -> None:
    """Check settings, database, AWS credentials and permissions, the events queue, hand-offs, mail and the worker."""
    verdicts = [_print_check(subject, check) for subject, check in CHECKS.items()]
    if "FAIL" in verdicts:
        ctx.exit(1)


def _print_check(subject: str, check: Callable[[], str]) -> str:
    try:
        verdict, finding = "ok", check()
    except UserWarning as warning:
        verdict, finding = "warn", str(warning)
    except click.ClickException as error:
        verdict, finding = "FAIL", error.message
    except MarketplaceError as error:
        verdict, finding = "FAIL", aws.describe(error)
    click.echo(f"{verdict:<5} {subject:<15}  {masking.mask(finding)}")
    return verdict
