"""foyer status: counts sign-ups, what waits and what failed, and says what is wrong now."""

from dataclasses import asdict
from datetime import timedelta

import click

from app.cli import ages, listing, tables, terminal
from app.cli.customer import format_findings
from app.cli.database import DatabaseCommand
from app.database import clock
from app.services.reports import overview
from app.services.reports.overview import Overview

DAYS = timedelta(days=7)
EXPLANATIONS = {
    "landed": "purchases whose buyer came, by their last visit",
    "registered": "sign-up forms",
    "handed off": "registrations that the product accepted",
    "entered": "buyers who went on into the product",
}
# What is counted, under which name, and the name of its age in seconds.
WAITING = (
    ("tokens for AWS's answer", "foyer_parked_tokens", "foyer_parked_tokens_oldest_seconds"),
    ("registrations for their purchase", "foyer_unlinked_registrations", ""),
    ("hand-offs", "foyer_handoffs_waiting", "foyer_handoffs_oldest_seconds"),
    ("mails", "foyer_mails_waiting", ""),
    ("active purchases for a registration", "unregistered", ""),
    ("hours of usage that should be billed", "usage_unsent", ""),
    ("items of usage for your decision", "usage_held", ""),
)
FAILED = (
    ("hand-offs", "foyer_handoffs_failed"),
    ("mails", "foyer_mails_failed"),
    ("mails that came back in 7 days", "bounced"),
    ("registrations whose token was given up", "given_up"),
    ("ambiguous events", "foyer_events_ambiguous"),
    ("hours of usage that AWS does not bill", "usage_problems"),
)


@click.command("status", cls=DatabaseCommand)
@listing.json_option()
@click.pass_context
def command(ctx: click.Context, in_json: bool) -> None:
    """Count sign-ups of today (UTC) and of seven days, what waits and what failed; say what is wrong now.

    The exit status is 1 if a line says FAIL, and 0 otherwise, as for the doctor, who looks at the set-up instead.
    """
    now = clock.now()
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    current = overview.read(today, now - DAYS)
    findings = current.findings
    if in_json:
        click.echo(tables.to_json({**asdict(current), "findings": [asdict(finding) for finding in findings]}))
    else:
        click.echo("\n".join(_lines(current)))
    if any(finding.level == "FAIL" for finding in findings):
        ctx.exit(1)


def _lines(current: Overview) -> list[str]:
    counts = current.counts
    steps = [f"  {name:<10}{day:>7}{week:>8}   {EXPLANATIONS[name]}" for name, (day, week) in current.steps.items()]
    waiting = [_count(counts.get(name, 0), what, counts.get(age, 0)) for what, name, age in WAITING]
    failed = [_count(counts.get(name, 0), what) for what, name in FAILED]
    first, *others = (f"{count} {step}" for step, count in current.funnel.items())
    return [
        terminal.heading(f"  {'':<10}{'today':>7}{'7 days':>8}"),
        *steps,
        "",
        terminal.heading("Of the purchases of seven days"),
        f"  {' → '.join([first, *others])}",
        "",
        terminal.heading("Waiting"),
        *waiting,
        "",
        terminal.heading("Failed"),
        *failed,
        "",
        terminal.heading("What is wrong now"),
        *format_findings(current.findings, terminal.width()),
    ]


def _count(count: float, what: str, age_seconds: float = 0) -> str:
    since = f", the oldest for {ages.describe_length(timedelta(seconds=age_seconds))}" if count and age_seconds else ""
    return f"  {count:>6.0f}  {what}{since}"
