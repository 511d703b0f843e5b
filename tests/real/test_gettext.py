"""GNU gettext's own checks of the catalogues."""

import subprocess

import pytest

from app.languages.table import TRANSLATED, Language
from tests.real.programs import path_of
from tests.translations import catalogues


@pytest.mark.parametrize("language", TRANSLATED, ids=lambda language: language.code)
def test_gettext_finds_no_fault_in_a_catalogue(language: Language) -> None:
    command = [path_of("msgfmt"), "--check", "--output-file=/dev/null", str(catalogues.po_path(language))]

    result = subprocess.run(command, capture_output=True, text=True, check=False)

    assert (result.returncode, result.stderr) == (0, "")
