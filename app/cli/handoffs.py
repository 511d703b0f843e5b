"""foyer handoffs: lists and shows hand-offs, sends failed ones again, and backfills those that were never made."""

from collections.abc import Sequence
from itertools import chain
from uuid import UUID

import click

from app.cli import listing
from app.cli.database import DatabaseGroup
from app.cli.listing import Resource, Table
from app.config import products
from app.database.rows import RowDict
from app.models.outbox import OUTBOX_OUTCOMES
from app.services.outbox import backfill, queue
from app.services.reports import ids, outbox

HANDOFF = Resource("hand-off", "Find it with: foyer handoffs list", ids.HANDOFFS, prefix="msg_")
NEEDS_WORKER = "A worker has to be running: foyer worker"
LIST_COLUMNS = ("id", "created_at", "type", "outcome", "tries", "fault", "next_try_at", "subscription_id")
NARROW_COLUMNS = ("id", "created_at", "type", "outcome", "fault", "next_try_at")

command = DatabaseGroup("handoffs", help="List, show and retry hand-offs, and backfill those that were never made.")


listing.add_list_command(
    command,
    "List hand-offs, newest first.\n\n"
    "A waiting hand-off without next_try_at waits for an earlier one of its subscription.",
    outbox.handoffs,
    Table(LIST_COLUMNS, NARROW_COLUMNS),
    click.option(
        "--outcome",
        type=click.Choice(OUTBOX_OUTCOMES),
        help="Only with this outcome; waiting includes those being tried.",
    ),
    listing.product_option,
    listing.subscription_option,
    listing.since_option,
)


@command.command("show")
@click.argument("handoff_id", metavar="ID")
@listing.wide_option
@listing.json_option()
def show(handoff_id: str, wide: bool, in_json: bool) -> None:
    """Show a hand-off with its payload. ID may also be the webhook-id that the product received."""
    listing.print_record(_find_handoff(handoff_id), in_json=in_json, wide=wide)


@command.command("retry")
@click.argument("handoff_id", metavar="[ID]", required=False)
@click.option("--failed", is_flag=True, help="All that failed, instead of one.")
@click.option("--product", metavar="CODE", help="With --failed: only of this product code.")
def retry(handoff_id: str | None, failed: bool, product: str | None) -> None:
    """Send one hand-off again, or all that failed. ID may be of one that was delivered, or waits for its next try.

    It keeps its payload and webhook-id, and is sent before later hand-offs of its subscription that still wait.
    """
    if (handoff_id is None) != failed or (product and not failed):
        raise click.UsageError("Give one ID, or --failed and maybe --product CODE.")
    resent = sum(map(outbox.resend, _ids_to_retry(handoff_id, product)))
    if handoff_id is not None and not resent:
        raise click.ClickException(
            f"{handoff_id} is not sent again: it waits behind an earlier hand-off of its subscription, or it is no "
            "longer needed, as when its person was erased."
        )
    click.echo(f"Hand-offs to be sent again: {resent}. {NEEDS_WORKER}")


@command.command("catch-up")
@listing.product_option
@click.option("--dry-run", is_flag=True, help="Print the subscriptions' ids and hand nothing off.")
def catch_up(product_code: str | None, dry_run: bool) -> None:
    """Hand off the registrations that were never handed off.

    Those are from before the product took hand-offs. Purchases that have ended or failed are left out, and no mail is
    sent.
    """
    product_codes = _products_with_endpoint(product_code)
    subscription_ids = list(chain.from_iterable(map(backfill.find_unannounced, product_codes)))
    if dry_run:
        summary = f"Registrations that would be handed off: {len(subscription_ids)}"
        click.echo("\n".join([*map(str, subscription_ids), summary]))
        return
    click.echo(f"Registrations handed off: {sum(map(backfill.enqueue, subscription_ids))}. {NEEDS_WORKER}")


def _ids_to_retry(handoff_id: str | None, product: str | None) -> Sequence[UUID]:
    if handoff_id is None:
        return outbox.failed_handoff_ids(_products_with_endpoint(product))
    handoff = _find_handoff(handoff_id)
    _products_with_endpoint(handoff["lane"].removeprefix(queue.HANDOFF_LANE_PREFIX))
    return [handoff["id"]]


def _products_with_endpoint(product: str | None) -> list[str]:
    """Return the named product code, or every one that takes hand-offs.

    Refuse a named product that takes none: a retry would never be sent.
    """
    codes = list(products.current().handoff_endpoints)
    if product and product not in codes:
        raise click.ClickException(
            f"{product} takes no hand-offs. Products that do: {', '.join(codes) or 'none'}. Correct the product code, "
            "or set its handoff_url, as docs/receiver.md says."
        )
    return [product] if product else codes


def _find_handoff(identifier: str) -> RowDict:
    handoff_id = HANDOFF.parse_id(identifier)
    return HANDOFF.require(identifier, outbox.find(handoff_id, is_mail=False))
