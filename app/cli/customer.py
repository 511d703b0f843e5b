"""foyer customer: shows everything of one customer, in time's order, and what is wrong now."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

import click

from app.cli import ages, listing, tables, terminal
from app.cli.database import DatabaseCommand
from app.cli.listing import Table
from app.config import products
from app.database.rows import RowDict
from app.observability import references
from app.services.purchases import entitlements, people
from app.services.reports import customers, diagnosis, timeline
from app.services.reports.customers import CustomerFile
from app.services.reports.diagnosis import Finding
from app.services.reports.timeline import Entry

MAX_CUSTOMERS = 50
CUSTOMERS = Table(
    ("subscription_id", "registration_id", "pending_token_id", "created_at", *customers.SHOWN_COLUMNS),
    ("id", "status", "company", "full_name", "email"),
    lambda row: {**row, "id": row["subscription_id"] or row["registration_id"] or row["pending_token_id"]},
)
LABEL_WIDTH = 16
# Before and after a page with a Reference, a buyer lands, reads and types.
AROUND = timedelta(minutes=10)
NOBODY_THERE = "Nobody's landing or registration within ten minutes of it is stored."


@click.command("customer", cls=DatabaseCommand)
@click.argument("who", nargs=-1, required=True)
@listing.wide_option
@listing.json_option("Print a JSON object; an array if several match.")
def command(who: tuple[str, ...], wide: bool, in_json: bool) -> None:
    """Show everything of one customer: purchase, events, registration, hand-offs, mails; and what is wrong now.

    WHO is an AWS account, agreement, license or customer identifier, any id of ours or its beginning (of a
    subscription, registration, hand-off, mail, event, invitation or pending token), the account's reference in the
    product, a company, a name, an e-mail address, or a part of one. If several match, they are listed.

    WHO may also be the Reference of an error page: then you see when that was, who was there, and what to look for in
    the log.
    """
    text = " ".join(who).strip()
    match customers.find(text, limit=MAX_CUSTOMERS + 1):
        case [] if references.is_reference(text.lower()):
            _explain_reference(text.lower(), in_json=in_json, wide=wide)
        case []:
            _explain_nothing(text)
        case [customer]:
            _print_customer(customers.load(customer), in_json=in_json, wide=wide)
        case several:
            listing.print_rows(several, CUSTOMERS, in_json=in_json, wide=wide, limit=MAX_CUSTOMERS)
            click.echo("Several customers match. To see one: foyer customer ID", err=True)


def _explain_reference(reference: str, *, in_json: bool, wide: bool) -> None:
    """Say when a page with this reference was shown, and who was there then: why is in the log alone."""
    moment = references.moment_of(reference)
    when = f" at {moment:%Y-%m-%d %H:%M:%S} UTC" if moment else ""
    click.echo(f"No id, but the Reference of a page that was shown{when}. To see why: grep {reference} LOG", err=True)
    if moment is None:
        return
    around = customers.find_around(moment, AROUND, limit=MAX_CUSTOMERS + 1)
    listing.print_rows(around, CUSTOMERS, in_json=in_json, wide=wide, limit=MAX_CUSTOMERS, nothing=NOBODY_THERE)
    if around:
        click.echo("They came or registered within ten minutes of it. To see one: foyer customer ID", err=True)


def _explain_nothing(text: str) -> None:
    shown = tables.escape_unprintable(text)
    if people.find_drafts(text):
        raise click.ClickException(
            f"No registration has {shown!r}, but an unsent form does. See: foyer drafts list --search {shown!r}"
        )
    raise click.ClickException(
        f"Nothing is stored with {text!r}: neither as an id nor in what anybody typed. If the customer has bought, "
        'they may not have pressed "Set up your account" yet: ask them to, on AWS Marketplace. '
        "Purchases without a registration: foyer subscriptions list --unregistered"
    )


def _print_customer(file: CustomerFile, *, in_json: bool, wide: bool) -> None:
    entries, findings = timeline.build(file), diagnosis.diagnose(file)
    if in_json:
        happened, wrong = [asdict(entry) for entry in entries], [asdict(finding) for finding in findings]
        parts = {"purchase": file.purchase, "registration": file.registration}
        click.echo(tables.to_json({**parts, "timeline": happened, "findings": wrong}))
        return
    width = None if wide else terminal.width()
    lines = [
        *_summary(file, width),
        "",
        terminal.heading("What happened (times in UTC)"),
        *_timeline(entries, width, with_ids=width is None),
        "",
        terminal.heading("What is wrong now"),
        *format_findings(findings, width),
    ]
    terminal.print_paged("\n".join(lines))


def _summary(file: CustomerFile, width: int | None) -> Iterator[str]:
    row = file.purchase or file.registration or {}
    company = tables.escape_unprintable(row.get("company") or "Nobody has registered yet")
    yield from map(terminal.heading, tables.hang("", company, width))
    for label, value in _facts(file, row):
        if value:
            text = tables.escape_unprintable(tables.format_value(value))
            yield from tables.hang(f"  {label:<{LABEL_WIDTH - 2}}", text, width)


def _facts(file: CustomerFile, row: RowDict) -> Iterator[tuple[str, Any]]:
    yield from ((name, row.get(key)) for name, key in (("name", "full_name"), ("e-mail", "email"), ("phone", "phone")))
    yield "notes", row.get("notes")
    yield "answers", "; ".join(f"{answer['label']}: {answer['text']}" for answer in row.get("answers") or [])
    if purchase := file.purchase:
        product = products.current().get(purchase["product_code"])
        yield "product", f"{product.name} ({product.code})" if product else purchase["product_code"]
        yield "AWS account", purchase["customer_aws_account_id"] or purchase["customer_identifier"]
        yield "agreement", purchase["agreement_id"]
        yield "status", _since(purchase["status"], purchase["status_since"] or purchase["created_at"])
        stored = entitlements.parse_stored(purchase["entitlements"] or [])
        ends_at = purchase["ends_at"] or entitlements.last_end(stored)
        yield "ends", ends_at and _with_age(ends_at)
        yield "account", " ".join(filter(None, (purchase["account_reference"], purchase["account_url"])))
        yield "subscription", purchase["id"]
        yield "registration", purchase["registration_id"]
    else:
        yield "status", "no purchase: AWS has not resolved the token"
        yield "registration", row.get("id")
        yield "token", next((token["id"] for token in file.tokens), None)


def _since(status: str, moment: datetime) -> str:
    return f"{status} since {_with_age(moment)}"


def _with_age(moment: datetime) -> str:
    date, age = f"{moment.astimezone(UTC):%Y-%m-%d %H:%M}", ages.describe(moment)
    return date if date.startswith(age) else f"{date} ({age})"


def _timeline(entries: Sequence[Entry], width: int | None, *, with_ids: bool) -> Iterator[str]:
    for entry in entries:
        text = tables.escape_unprintable(entry.text) + (f"  {entry.id}" if with_ids and entry.id else "")
        head = f"  {entry.at.astimezone(UTC):%Y-%m-%d %H:%M:%S}  {entry.kind:<14}"
        yield from tables.hang(head, text, width)


def format_findings(findings: Sequence[Finding], width: int | None) -> Iterator[str]:
    """Yield the lines of what is wrong, each finding with its command."""
    if not findings:
        yield "  Nothing."
    for finding in findings:
        level = f"  {finding.level:<6}"
        first, *rest = tables.hang(level, tables.escape_unprintable(finding.text), width)
        yield terminal.style(level, finding.level) + first[len(level) :]
        yield from rest
        if finding.command:
            yield f"{' ' * len(level)}foyer {finding.command}"
