"""What the command groups share: list options and output, filters, and finding a row by the id on the command line."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import Any, TypeVar
from uuid import UUID

import click

from app.cli import tables
from app.database import rows as database_rows

T = TypeVar("T")
Row = Mapping[str, Any]
Command = Callable[..., Any]

product_option = click.option("--product", metavar="CODE", help="Only of this product code.")
account_option = click.option("--account", metavar="ID", help="Only of this AWS account.")
subscription_option = click.option(
    "--subscription", "subscription_id", type=click.UUID, metavar="ID", help="Only of this subscription."
)


@dataclass(frozen=True)
class Resource:
    """A kind of row that an operator names by id. `hint` follows "not found": where to look for the right id."""

    noun: str
    hint: str

    def parse_id(self, text: str) -> UUID:
        """Return the id; raise `not_found` if the text is not a UUID."""
        return self.require(text, database_rows.parse_uuid(text))

    def require(self, identifier: str, row: T | None) -> T:
        """Return the row that was looked up by the identifier; raise `not_found` if there is none."""
        if row is None:
            raise self.not_found(identifier)
        return row

    def not_found(self, identifier: str) -> click.ClickException:
        """Return the error to raise; its repr of the identifier escapes what a terminal would obey."""
        return click.ClickException(f"No {self.noun} has the id {identifier!r}. {self.hint}")


@dataclass(frozen=True)
class ListOutput:
    """How a list command prints its rows: at most `limit`, as a table or as JSON."""

    limit: int
    in_json: bool

    @property
    def fetch_limit(self) -> int:
        """How many rows to fetch: one more than is printed shows that there are more."""
        return self.limit + 1

    def print(self, rows: Sequence[Row], columns: Sequence[str], table_row: Callable[[Row], Row] | None = None) -> None:
        """Print the rows; `table_row` makes a row of the table from a row of the JSON."""
        shown = rows if self.in_json or table_row is None else [table_row(row) for row in rows]
        print_rows(shown, columns, limit=self.limit, in_json=self.in_json)


def list_options(json_help: str = "Print a JSON array with every column.") -> Callable[[Command], Command]:
    """Return the decorator that adds --limit and --json, and passes them to the command as `output`."""

    def decorate(command: Command) -> Command:
        @click.option(
            "--limit", type=click.IntRange(min=1), default=50, show_default=True, help="The most rows to print."
        )
        @json_option(json_help)
        @wraps(command)
        def run(*args: Any, limit: int, in_json: bool, **kwargs: Any) -> Any:
            return command(*args, output=ListOutput(limit, in_json), **kwargs)

        return run

    return decorate


def json_option(json_help: str = "Print a JSON object.") -> Callable[[Command], Command]:
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
