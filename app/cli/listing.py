"""What the command groups share: the `list` command, its filters, and finding a row by the id on the command line."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar
from uuid import UUID

import click

from app.cli import parameters, tables, terminal
from app.config import products
from app.database import rows as database_rows
from app.services.reports import ids
from app.services.reports.ids import IdSearch

T = TypeVar("T")
Row = Mapping[str, Any]
Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

product_option = click.option("--product", "product_code", metavar="CODE", help="Only of this product code.")
account_option = click.option(
    "--account", "account_id", type=parameters.AccountId(), metavar="ID", help="Only of this AWS account."
)
email_option = click.option(
    "--email", type=parameters.EmailAddress(), metavar="ADDRESS", help="Only with this address, in upper or lower case."
)
search_option = click.option(
    "--search",
    type=parameters.SearchText(),
    metavar="TEXT",
    help="Only with this part of a company, a name or an e-mail address.",
)
since_option = click.option(
    "--since", type=parameters.Since(), metavar="WHEN", help="Only from then on: 2026-11-01, 7d or 24h."
)
subscription_option = click.option(
    "--subscription", "subscription_id", type=parameters.IdBeginning(), metavar="ID", help="Only of this subscription."
)
limit_option = click.option(
    "--limit", type=click.IntRange(min=1), default=50, show_default=True, help="The most rows to print."
)
wide_option = click.option("--wide", is_flag=True, help="Print all columns, ids and times in full.")


@dataclass(frozen=True)
class Resource:
    """A kind of row that an operator names by id. `hint` follows "not found": where to look for the right id.

    `prefix` stands before the id where other programs show it.
    """

    noun: str
    hint: str
    search: IdSearch
    prefix: str = ""

    def parse_id(self, text: str) -> UUID:
        """Return the id that the text is, or begins; raise ClickException if there is none, or if there are several."""
        beginning = text.strip().removeprefix(self.prefix)
        if (whole := database_rows.parse_uuid(beginning)) is not None:
            return whole
        candidates = ids.find(self.search, beginning)
        if len(candidates) > 1:
            lines = [f"  {candidate}" for candidate in candidates[: ids.MAX_CANDIDATES]]
            more = ["  ..."] if len(candidates) > ids.MAX_CANDIDATES else []
            raise click.ClickException(
                "\n".join([f"Several {self.noun}s have ids that begin with {text!r}. Give more of it:", *lines, *more])
            )
        return self.require(text, next(iter(candidates), None))

    def require(self, identifier: str, row: T | None) -> T:
        """Return the row that was looked up by the identifier; raise ClickException if there is none."""
        if row is None:
            # The repr of the identifier escapes what a terminal would obey.
            raise click.ClickException(f"No {self.noun} has the id {identifier!r}. {self.hint}")
        return row


SUBSCRIPTION = Resource("subscription", "Find it with: foyer subscriptions list", ids.SUBSCRIPTIONS)


@dataclass(frozen=True)
class Table:
    """A list's columns, those that fit 80 columns of a terminal, and what makes a row from a row of the JSON.

    `variants` are other tables, by the name of the filter that selects them.
    """

    columns: Sequence[str]
    narrow: Sequence[str]
    format_row: Callable[[Row], Row] = dict
    variants: Mapping[str, "Table"] = field(default_factory=dict)

    def variant(self, filters: Mapping[str, Any]) -> "Table":
        """Return the table for these filters."""
        return next((table for name, table in self.variants.items() if filters.get(name)), self)


def add_list_command(
    group: click.Group,
    help_text: str,
    fetch: Callable[..., Sequence[Row]],
    table: Table,
    *filters: Decorator,
    json_help: str = "Print a JSON array with every column.",
    plural: str = "",
) -> None:
    """Add the group's `list` command, which prints the rows that `fetch` returns.

    `fetch` gets the filters and `limit`, which is one more than is printed: it shows that there are more. `plural` is
    what the rows are, where the group's name does not say it.
    """

    def run(*, limit: int, in_json: bool, wide: bool, **filter_values: Any) -> None:
        has_filters = any(filter_values.values())
        if subscription := filter_values.get("subscription_id"):
            filter_values["subscription_id"] = SUBSCRIPTION.parse_id(subscription)
        rows = fetch(limit=limit + 1, **filter_values)
        if not rows:
            check_product(filter_values.get("product_code"))
        nothing = "Nothing matches." if has_filters else f"There are no {plural or str(group.name).replace('-', ' ')}."
        print_rows(rows, table.variant(filter_values), limit=limit, in_json=in_json, wide=wide, nothing=nothing)

    options: list[Decorator] = [*filters, limit_option, wide_option, json_option(json_help)]
    for add_option in reversed(options):
        add_option(run)
    group.command("list", help=help_text)(run)


def check_product(code: str | None) -> None:
    """Refuse a product code with which nothing is stored, and which is not in the settings."""
    if code is not None and code.strip() not in products.current():
        codes = ", ".join(products.current())
        raise click.BadParameter(f"{code!r} is no product code of yours: {codes}.", param_hint="'--product'")


def json_option(json_help: str = "Print a JSON object.") -> Decorator:
    """Return the decorator that adds --json as `in_json`."""
    return click.option("--json", "in_json", is_flag=True, help=json_help)


def print_rows(
    rows: Sequence[Row],
    table: Table,
    *,
    in_json: bool,
    wide: bool = False,
    limit: int | None = None,
    nothing: str = "Nothing matches.",
) -> None:
    """Print at most `limit` rows; standard error says if there are none, or more."""
    shown = rows[:limit]
    if in_json:
        click.echo(tables.to_json(shown))
    elif shown:
        terminal.print_paged(format_rows(shown, table, wide=wide))
    if not shown:
        click.echo(nothing, err=True)
    if len(shown) < len(rows):
        click.echo(f"There are more than these {limit}. Add a filter, or raise --limit.", err=True)


def print_record(row: Row, *, in_json: bool, wide: bool = False) -> None:
    """Print one row whole; on a terminal, in lines that fit it unless `wide`."""
    if in_json:
        click.echo(tables.to_json(row))
    else:
        terminal.print_paged(tables.format_record(row, None if wide else terminal.width()))


def format_rows(rows: Sequence[Row], table: Table, *, wide: bool = False) -> str:
    """Return the table: narrow on a terminal; in a pipe, or where all is asked for, with all columns."""
    formatted = [table.format_row(row) for row in rows]
    if wide:
        return tables.format_table(formatted, table.columns, max_width=None)
    width = terminal.width()
    return tables.fit_table(formatted, table.narrow, width) if width else tables.format_table(formatted, table.columns)
