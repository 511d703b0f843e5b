"""foyer usage import: a file with a line that cannot be read is refused whole, with the line and what to do."""

from pathlib import Path
from uuid import UUID

import pytest
from flask import Flask

from app.models import UsageItem
from tests.cli.usage.test_import import ADD_ON, import_text
from tests.support.databases import on_sqlite
from tests.support.stored_rows import all_rows


@on_sqlite
@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ("", 1, "no items"),
        ("dimension,value\n", 1, "no items"),
        ("users,1\n", 1, "no column 'users'"),
        ("dimension;value\nusers;1\n", 1, "Separate the columns by commas"),
        ("dimension,value,quantity\nusers,1,1\n", 1, "the column quantity is there twice"),
        ("dimension,at\nusers,1\n", 1, "no column quantity"),
        (f"{ADD_ON}{ADD_ON}", 4, "the header comes again"),
        ("dimension,value\nusers,1\nusers,1,5\n", 3, "Is a quantity written with a comma? Write 1.5."),
        ("dimension,value\nusers\n", 2, "it has 1 cells, and the header 2"),
        ('dimension,value\nusers,1\n"users,1\nusers,1\n', 3, "is opened and not closed"),
        ('dimension,value\nusers,"1"2\n', 2, "text after a closing quotation mark"),
        (f'dimension,value\nusers,"{"1" * 200_000}\n', 2, "is opened and not closed"),
        ("dimension,value\rusers,1\r", 1, "line break"),
        (f"dimension,value\nusers,{'1' * 1_000_001}\n", 2, "longer than 1000000 bytes"),
        (ADD_ON.encode("utf-16"), 1, "UTF-16"),
        (ADD_ON.encode("utf-16-le"), 1, "bytes of zero"),
        (b"PK\x03\x04\x14\x00", 1, "a workbook or an archive"),
        (b"dimension,value\nusers,1\nn\xe4chte,1\n", 3, "its byte 2 is no UTF-8"),
        ('{"dimension": "users", "quantity": "1"}\n{"dimension":\n', 2, "it is no JSON"),
        ('{"quantity": "1", "quantity": "2"}\n', 1, "it has a member twice"),
        (f'{{"quantity": {"[" * 100_000}\n', 1, "nested too deeply"),
        (f'{{"quantity": {"1" * 5000}}}\n', 1, "a number that is too long"),
        ('[{"dimension": "users", "quantity": "1"},\n{"dimension": }]', 2, "it is no JSON"),
        ('[{"dimension": "users", "quantity": "1"}\n', 2, "] is wanted, and the end of the file is there"),
        ('[{"dimension": "users", "quantity": "1"},]', 1, "it is no JSON"),
        ('[{"dimension": "users", "quantity": "1"}]\n[]', 2, "there is more after the end of the list"),
        ("[]", 1, "no items"),
        (b'[{"dimension": "n\xe4chte", "quantity": "1"}]', 1, "no UTF-8"),
        (f'[{{"dimension": "{"x" * 500_000}', 1, "it is no JSON"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_file_with_a_line_that_cannot_be_read_is_refused_whole(
    app: Flask, subscription_id: UUID, tmp_path: Path, text: str | bytes, line: int, problem: str
) -> None:
    result = import_text(app.test_cli_runner(), tmp_path, text, "--subscription", str(subscription_id))

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith(f"Error: Line {line}: ")
    assert problem in result.stderr
    assert result.stderr.endswith(" Nothing was accepted.\n")
    assert all_rows(app, UsageItem) == []
