"""Exports to a file: JSON Lines, or CSV whose cells a spreadsheet never runs as formulas.

Follows https://www.rfc-editor.org/rfc/rfc4180 and https://owasp.org/www-community/attacks/CSV_Injection
"""

import csv
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import IO, Any

import click

from app.cli import tables

FORMULA_PREFIXES = tuple("=+-@")
CELL_SEPARATORS = ("\t", "\r", "\n")
STANDARD_OUTPUT = "-"

format_option = click.option(
    "--format", "file_format", type=click.Choice(["csv", "jsonl"]), default="csv", show_default=True
)
output_option = click.option(
    "--output",
    metavar="PATH",
    default=STANDARD_OUTPUT,
    show_default=True,
    help="A file's path; - is standard output.",
)


def export(output: str, file_format: str, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    """Write the rows to the file that the options name; raise ClickException where it cannot be written."""
    try:
        with click.open_file(output, "w", encoding="utf-8") as stream:
            if file_format == "csv":
                write_csv(stream, columns, rows)
            else:
                stream.writelines(f"{tables.to_json(row, indent=None)}\n" for row in rows)
    except OSError as error:
        if output == STANDARD_OUTPUT:
            raise
        raise click.ClickException(f"{output} cannot be written: {error.strerror}. Choose another --output.") from None


def write_csv(stream: IO[str], columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    """Write a header and the rows, one at a time, so that an export of any size fits in memory."""
    writer = csv.writer(stream)
    writer.writerow(columns)
    writer.writerows([escape_formula(tables.format_value(row[column])) for column in columns] for row in rows)


def escape_formula(cell: str) -> str:
    """Return the cell, with an apostrophe in front if a spreadsheet might take it for a formula."""
    if not cell or cell[0].isalnum():
        return cell
    # Spreadsheets skip blank and invisible characters, and read full-width signs as the plain ones.
    first = next((c for c in cell if c.isprintable() and c != " "), "")
    is_formula = unicodedata.normalize("NFKC", first).startswith(FORMULA_PREFIXES) or cell.startswith(CELL_SEPARATORS)
    return f"'{cell}" if is_formula else cell
