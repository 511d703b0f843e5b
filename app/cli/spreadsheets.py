"""CSV export whose cells a spreadsheet never runs as formulas.

Follows https://www.rfc-editor.org/rfc/rfc4180 and https://owasp.org/www-community/attacks/CSV_Injection
"""

import csv
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import IO, Any

from app.cli.tables import format_value

FORMULA_PREFIXES = tuple("=+-@")
CELL_SEPARATORS = ("\t", "\r", "\n")


def write_csv(stream: IO[str], columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    """Write a header and the rows, one at a time, so that an export of any size fits in memory."""
    writer = csv.writer(stream)
    writer.writerow(columns)
    writer.writerows([escape_formula(format_value(row[column])) for column in columns] for row in rows)


def escape_formula(cell: str) -> str:
    """Return the cell, with an apostrophe in front if a spreadsheet might take it for a formula."""
    if not cell or cell[0].isalnum():
        return cell
    # Spreadsheets skip blank and invisible characters, and read full-width signs as the plain ones.
    first = next((c for c in cell if c.isprintable() and c != " "), "")
    is_formula = unicodedata.normalize("NFKC", first).startswith(FORMULA_PREFIXES) or cell.startswith(CELL_SEPARATORS)
    return f"'{cell}" if is_formula else cell
