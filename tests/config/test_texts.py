"""A product's own texts: which are taken, and what the start says of the others."""

from pathlib import Path

import pytest

from app.config.settings import SettingsError
from app.languages.speech import Texts
from tests.config import product_file

CHOOSE = 'Choose <strong lang=\\"en\\">Set up your account</strong>.'


def load(folder: Path, text: str) -> Texts:
    return product_file.load(folder, f'ready_within = "two hours"\n{text}').texts


def test_texts_are_read_by_language(tmp_path: Path) -> None:
    texts = load(
        tmp_path,
        """
[products.first.texts.de]
"two hours" = "zwei Stunden"
"Register" = '''
  Jetzt
  registrieren'''
"%(count)s more line" = ["noch eine Zeile", "noch %(count)s Zeilen"]
[products.first.texts.en]
"Register" = "Send"
""",
    )

    assert texts == {
        "de": {
            "two hours": ("zwei Stunden",),
            "Register": ("Jetzt registrieren",),
            "%(count)s more line": ("noch eine Zeile", "noch %(count)s Zeilen"),
        },
        "en": {"Register": ("Send",)},
    }


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[products.first.texts.xx]", "no such language. The languages are en, de, es"),
        ("texts = 1", "it must be a table of languages"),
        ("[products.first.texts]\nde = 1", "it must be a table of texts"),
        ('[products.first.texts.de]\n"Registr" = "x"', 'no such text. The nearest one is "Register"'),
        ('[products.first.texts.de]\n"foo" = "x"', r"no such text. They are in app/translations/foyer.pot"),
        ('[products.first.texts.de]\n"Register" = 1', "it must be text of 1 to 2000 characters"),
        ('[products.first.texts.de]\n"Register" = " "', "it must be text of 1 to 2000 characters"),
        ('[products.first.texts.de]\n"Register" = "50 % off"', "write %% for a percent sign"),
        ('[products.first.texts.de]\n"Register" = "%(name)s"', r"%\(name\)s, which this text has not.*: none"),
        ('[products.first.texts.de]\n"Register for %(product)s" = "%(nam)s"', r"What it may have: %\(product\)s"),
        ('[products.first.texts.de]\n"%(count)s more line" = "x"', "a list of the forms .* there are 2"),
        ('[products.first.texts.ja]\n"%(count)s more line" = ["x", "y"]', "there are 1"),
        (f'[products.first.texts.de]\n"{CHOOSE}" = "Los <strong lang=\\"en\\">geht"', "its tags do not match"),
        ('[products.first.texts.de]\n"Register" = "a\\u0007b"', "it has control characters"),
    ],
)
def test_wrong_text_is_refused_with_what_would_be_right(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(SettingsError, match=problem):
        load(tmp_path, text)
