"""What the command groups share: the `list` command, its filters, and finding a row by the id on the command line."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

import click

from app.cli import tables
from app.database import rows as database_rows

T = TypeVar("T")
Row = Mapping[str, Any]
Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

product_option = click.option("--product", "product_code", metavar="CODE", help="Only of this product code.")
account_option = click.option("--account", "account_id", metavar="ID", help="Only of this AWS account.")
subscription_option = click.option(
    "--subscription", "subscription_id", type=click.UUID, metavar="ID", help="Only of this subscription."
)
limit_option = click.option(
    "--limit", type=click.IntRange(min=1), default=50, show_default=True, help="The most rows to print."
)


@dataclass(frozen=True)
class Resource:
    """A kind of row that an operator names by id. `hint` follows "not found": where to look for the right id."""

    noun: str
    hint: str

    def parse_id(self, text: str) -> UUID:
        """Return the id; raise ClickException if the text is not a UUID."""
        return self.require(text, database_rows.parse_uuid(text))

    def require(self, identifier: str, row: T | None) -> T:
        """Return the row that was looked up by the identifier; raise ClickException if there is none."""
        if row is None:
            # The repr of the identifier escapes what a terminal would obey.
            raise click.ClickException(f"No {self.noun} has the id {identifier!r}. {self.hint}")
        return row


@dataclass(frozen=True)
class Table:
    """The columns of a list, others where the filter `flag` is set, and what makes a row from a row of the JSON."""

    columns: Sequence[str]
    flag: str = ""
    flag_columns: Sequence[str] = ()
    format_row: Callable[[Row], Row] = dict


def add_list_command(
    group: click.Group,
    help_text: str,
    fetch: Callable[..., Sequence[Row]],
    table: Table,
    *filters: Decorator,
    json_help: str = "Print a JSON array with every column.",
) -> None:
    """Add the group's `list` command, which prints the rows that `fetch` returns.

    `fetch` gets the filters and `limit`, which is one more than is printed: it shows that there are more.
    """

    def run(*, limit: int, in_json: bool, **filter_values: Any) -> None:
        rows = fetch(limit=limit + 1, **filter_values)
        shown = rows if in_json else [table.format_row(row) for row in rows]
        columns = table.flag_columns if filter_values.get(table.flag) else table.columns
        print_rows(shown, columns, limit=limit, in_json=in_json)

    options: list[Decorator] = [*filters, limit_option, json_option(json_help)]
    for add_option in reversed(options):
        add_option(run)
    group.command("list", help=help_text)(run)


def json_option(json_help: str = "Print a JSON object.") -> Decorator:
    """Return the decorator that adds --json as `in_json`."""
    return click.option("--json", "in_json", is_flag=True, help=json_help)


def print_rows(rows: Sequence[Row], columns: Sequence[str], *, in_json: bool, limit: int | None = None) -> None:
    """Print at most `limit` rows; standard error says if there are none, or more."""
    shown = rows[:limit]
    if shown or in_json:
        click.echo(tables.to_json(shown) if in_json else tables.format_table(shown, columns))
    if not shown:
        click.echo("Nothing matches.", err=True)
    if len(shown) < len(rows):
        click.echo(f"There are more than these {limit}. Add a filter, or raise --limit.", err=True)


def print_record(row: Row, *, in_json: bool) -> None:
    """Print one row whole."""
    click.echo(tables.to_json(row) if in_json else tables.format_record(row))
