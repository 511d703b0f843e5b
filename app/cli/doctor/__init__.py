"""flask doctor: checks that this machine is set up to register customers, and says how to fix what is not."""

from collections.abc import Callable

import click
from flask.cli import with_appcontext

from app.cli.doctor import aws, local
from app.cli.doctor.finding import Warn
from app.errors import MarketplaceError

CHECKS = {
    "settings": local.check_settings,
    "products": local.check_products,
    "database": local.check_database,
    "rate limits": local.check_rate_counters,
    "credentials": aws.check_credentials,
    "ResolveCustomer": aws.check_resolve_customer,
    "GetEntitlements": aws.check_get_entitlements,
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
    passed = [_print_check(subject, check) for subject, check in CHECKS.items()]
    if not all(passed):
        ctx.exit(1)


def _print_check(subject: str, check: Callable[[], str]) -> bool:
    verdict, finding = _run_check(check)
    click.echo(f"{verdict:<5} {subject:<15}  {finding}")
    return verdict != "FAIL"


def _run_check(check: Callable[[], str]) -> tuple[str, str]:
    try:
        return "ok", check()
    except Warn as error:
        return "warn", error.message
    except click.ClickException as error:
        return "FAIL", error.message
    except MarketplaceError as error:
        return "FAIL", f"{aws.ADVICE[type(error)]} ({error.code})"
