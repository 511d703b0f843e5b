"""flask handoffs: lists what was promised to products, shows one, and sends what they did not take or never got."""

from uuid import UUID

import click

from app.cli import tables
from app.cli.database import with_database
from app.config import handoff_endpoints
from app.database import rows
from app.database.rows import RowDict
from app.models import OUTBOX_OUTCOMES
from app.services.outbox import backfill, queue
from app.services.reports import outbox

NEEDS_WORKER = "A worker has to run: flask --app wsgi worker"
LIST_COLUMNS = ("id", "created_at", "type", "outcome", "tries", "fault", "next_try_at", "subscription_id")


@click.group("handoffs")
def command() -> None:
    """List, show and retry hand-offs, and catch up with those that never were."""


@command.command("list")
@click.option(
    "--outcome", type=click.Choice(OUTBOX_OUTCOMES), help="Only with this outcome; waiting includes those being tried."
)
@click.option("--product", metavar="CODE", help="Only of this product code.")
@click.option("--subscription", metavar="ID", help="Only of this subscription.")
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="How many at the most.")
@click.option("--json", "in_json", is_flag=True, help="Print a JSON array with every column.")
@with_database
def list_handoffs(
    outcome: str | None, product: str | None, subscription: str | None, limit: int, in_json: bool
) -> None:
    """List hand-offs, the newest first.

    One that waits without a next_try_at waits its turn behind an earlier one of its subscription.
    """
    subscription_id = _parse_id(subscription, "subscriptions") if subscription else None
    found = outbox.handoffs(limit=limit + 1, outcome=outcome, product_code=product, subscription_id=subscription_id)
    tables.print_rows(found, limit, LIST_COLUMNS, in_json=in_json)


@command.command("show")
@click.argument("handoff_id", metavar="ID")
@click.option("--json", "in_json", is_flag=True, help="Print a JSON object.")
@with_database
def show(handoff_id: str, in_json: bool) -> None:
    """Show a hand-off and what it tells the product. ID may also be the webhook-id that the product saw."""
    found = _find_handoff(handoff_id)
    click.echo(tables.to_json(found) if in_json else tables.format_record(found))


@command.command("retry")
@click.argument("handoff_id", metavar="[ID]", required=False)
@click.option("--failed", is_flag=True, help="All that failed, instead of one.")
@click.option("--product", metavar="CODE", help="With --failed: only of this product code.")
@with_database
def retry(handoff_id: str | None, failed: bool, product: str | None) -> None:
    """Send a hand-off again, or all that failed; one that was delivered too, and one that waits for its next try.

    It goes out as it was, with the same webhook-id, before later ones of its subscription that still wait.
    """
    if (handoff_id is None) != failed or (product and not failed):
        raise click.UsageError("Give one ID, or --failed and maybe --product CODE.")
    ids = (
        outbox.failed_handoff_ids(_products_with_endpoint(product))
        if handoff_id is None
        else [_resendable_id(handoff_id)]
    )
    sent = sum(outbox.resend(one) for one in ids)
    if handoff_id is not None and not sent:
        raise click.ClickException(
            f"{handoff_id} waits behind an earlier one of its subscription, or what it told of was erased."
        )
    click.echo(f"Hand-offs that go out again: {sent}. {NEEDS_WORKER}")


@command.command("catch-up")
@click.option("--product", metavar="CODE", help="Only of this product code.")
@click.option("--dry-run", is_flag=True, help="Print the subscriptions' ids, and hand nothing off.")
@with_database
def catch_up(product: str | None, dry_run: bool) -> None:
    """Hand off the registrations that their product was never told of, as those from before it took hand-offs.

    Purchases that have ended or failed are left out, and nobody is mailed.
    """
    untold_ids = [one for code in _products_with_endpoint(product) for one in backfill.find_unannounced(code)]
    if dry_run:
        click.echo("\n".join([*map(str, untold_ids), f"Registrations that would be handed off: {len(untold_ids)}"]))
        return
    click.echo(f"Registrations handed off: {sum(map(backfill.enqueue, untold_ids))}. {NEEDS_WORKER}")


def _products_with_endpoint(product: str | None) -> list[str]:
    """Return the product that was named, or every one, that takes hand-offs: to others nothing would go out."""
    codes = list(handoff_endpoints.by_product_code())
    if product and product not in codes:
        raise click.ClickException(
            f"{product} takes no hand-offs. Those that do: {', '.join(codes) or 'none'}. Correct the "
            "product code, or set its handoff_url, as docs/receiver.md says."
        )
    return [product] if product else codes


def _resendable_id(value: str) -> UUID:
    found = _find_handoff(value)
    _products_with_endpoint(queue.product_code_of(found["lane"]))
    handoff_id: UUID = found["id"]
    return handoff_id


def _find_handoff(handoff_id: str) -> RowDict:
    found = outbox.find(_parse_id(handoff_id))
    if found is None or found["lane"] == queue.MAIL_LANE:
        raise _not_found(handoff_id, "handoffs")
    return found


def _parse_id(value: str, command_name: str = "handoffs") -> UUID:
    if (spelt := rows.parse_uuid(value.removeprefix("msg_"))) is None:
        raise _not_found(value, command_name)
    return spelt


def _not_found(value: str, command_name: str) -> click.ClickException:
    return click.ClickException(f"There is no {value!r} here. Look for it with: flask --app wsgi {command_name} list")
