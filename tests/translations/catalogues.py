"""Makes the catalogues of the buyers' languages: `make translations`.

1. Extracts the English texts of templates and code into app/translations/foyer.pot.
2. Merges them into each language's foyer.po: new ones without a translation, changed ones without their old one.
3. Compiles each foyer.po into the foyer.mo that the app reads, and one of English, by which it knows all texts.
4. Writes how each language writes days and numbers into formats.json, and the countries into countries.json, as Babel
   has them.
"""

import io
import json
import re
import sys
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from babel import Locale
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

from app.config.countries import CODES
from app.languages.formats import COUNTRIES, FORMATS
from app.languages.speech import DOMAIN, FOLDER
from app.languages.table import LANGUAGES, TRANSLATED, Language

ROOT = Path(__file__).parents[2]
TEMPLATE = FOLDER / f"{DOMAIN}.pot"
ENGLISH_MO = FOLDER / "en" / "LC_MESSAGES" / f"{DOMAIN}.mo"
FIXED_TIME = datetime(2026, 11, 29, tzinfo=UTC)
KEYWORDS = {
    "_": None,
    "N_": None,
    "gettext": None,
    "lazy_gettext": None,
    "ngettext": (1, 2),
    "lazy_ngettext": (1, 2),
}
# Languages that give the first day of a month, and it alone, as an ordinal: Babel's patterns cannot say so.
FIRST_DAYS = {"fr": "1er", "pt_BR": "1º"}
# Languages that group digits only from this number on. Babel groups from 1000 in all of them.
GROUPED_FROM = {"es": 10_000}
# Between the members of a list, without a last "and".
SEPARATORS = {"ar": "، ", "ja": "、", "zh_CN": "、"}
COMMENT_TAG = "TRANSLATORS:"
WIDTH = 120
METHODS: dict[str, list[tuple[str, str]]] = {
    "templates": [("**.html", "jinja2"), ("**.txt", "jinja2")],
    "app": [("**.py", "python")],
}
OPTIONS = {"jinja2": {"extensions": "jinja2.ext.i18n", "trimmed": "true", "silent": "false"}}


def main() -> int:
    """Write the template and all catalogues, and print how much of each is translated."""
    template = extract()
    TEMPLATE.write_bytes(as_po(template))
    ENGLISH_MO.parent.mkdir(parents=True, exist_ok=True)
    ENGLISH_MO.write_bytes(as_mo(in_english(template)))
    FORMATS.write_text(as_json(formats()), encoding="utf-8")
    COUNTRIES.write_text(as_json(countries()), encoding="utf-8")
    for language in TRANSLATED:
        path = po_path(language)
        catalogue = load(language) if path.exists() else Catalog(locale=language.folder, domain=DOMAIN)
        catalogue.update(template, no_fuzzy_matching=True)
        # Obsolete entries would be read again by each reader of the language.
        catalogue.obsolete.clear()
        catalogue.fuzzy = False
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(as_po(catalogue))
        path.with_suffix(".mo").write_bytes(as_mo(catalogue))
        missing = sum(1 for message in catalogue if message.id and not is_translated(message))
        print(f"{language.folder}: {len(catalogue) - missing} of {len(catalogue)} texts, {missing} to translate")
    return 0


@cache
def extract() -> Catalog:
    """Return the English texts of templates and code, with the comments for translators: read once a process."""
    catalogue = Catalog(domain=DOMAIN)
    for folder, methods in METHODS.items():
        found = extract_from_dir(
            ROOT / folder, methods, OPTIONS, keywords=KEYWORDS, comment_tags=(COMMENT_TAG,), strip_comment_tags=True
        )
        for name, _line, message, comments, context in found:
            # No line numbers: each change of a template would change every catalogue.
            catalogue.add(message, None, [(f"{folder}/{name}", 0)], auto_comments=comments, context=context)
    # A default of products.toml that buyers read.
    catalogue.add("one working day", locations=[("app/config/products.py", 0)], auto_comments=[READY_WITHIN])
    return catalogue


READY_WITHIN = "fills %(time)s, as in: You will hear from us within one working day"


def in_english(template: Catalog) -> Catalog:
    """Return the texts as translated into themselves."""
    english = Catalog(locale="en", domain=DOMAIN)
    for message in template:
        if message.id:
            english.add(message.id, message.id)
    return english


def formats() -> dict[str, dict[str, object]]:
    """Return how each language writes days and numbers, by its folder."""
    return {language.folder: _format(language.folder) for language in TRANSLATED}


def countries() -> dict[str, dict[str, str]]:
    """Return the names of the countries in each language, by its folder and their codes."""
    territories = {language.folder: Locale.parse(language.folder).territories for language in LANGUAGES}
    return {folder: {code: names[code] for code in sorted(CODES)} for folder, names in territories.items()}


def _format(folder: str) -> dict[str, object]:
    locale = Locale.parse(folder)
    symbols, months = locale.number_symbols["latn"], locale.months["format"]["wide"]
    pattern = locale.date_formats["long"].pattern
    fields = {"d": "{day}", "MMMM": "{month}", "y": "{year}"}
    named = [months[number] for number in range(1, 13)]
    if "MMMM" not in pattern:
        fields["M"], named = "{month}", [str(number) for number in range(1, 13)]
    parts = re.findall(r"'[^']*'|[A-Za-z]+|[^A-Za-z']+", pattern)
    day = "".join(fields.get(part, part.strip("'")) for part in parts)
    return {
        "day": day,
        "first": FIRST_DAYS.get(folder, "1"),
        "months": named,
        "decimal": symbols["decimal"],
        "group": symbols["group"],
        "grouped_from": GROUPED_FROM.get(folder, 1000),
        "separator": SEPARATORS.get(folder, ", "),
    }


def as_json(value: object) -> str:
    """Return the value as JSON, in lines."""
    return json.dumps(value, ensure_ascii=False, indent=1) + "\n"


def po_path(language: Language) -> Path:
    """Return the path of the language's catalogue."""
    return FOLDER / language.folder / "LC_MESSAGES" / f"{DOMAIN}.po"


def load(language: Language) -> Catalog:
    """Return the language's catalogue."""
    with po_path(language).open("rb") as file:
        return read_po(file, locale=language.folder, domain=DOMAIN)


def as_po(catalogue: Catalog) -> bytes:
    """Return the catalogue as a .po file: without dates, so that it changes with its texts alone."""
    output = io.BytesIO()
    _set_head(catalogue)
    write_po(output, catalogue, width=WIDTH, sort_by_file=True, include_lineno=False)
    return output.getvalue()


def as_mo(catalogue: Catalog) -> bytes:
    """Return the catalogue as a .mo file."""
    output = io.BytesIO()
    _set_head(catalogue)
    write_mo(output, catalogue)
    return output.getvalue()


def _set_head(catalogue: Catalog) -> None:
    catalogue.creation_date = catalogue.revision_date = FIXED_TIME
    catalogue.project, catalogue.version, catalogue.msgid_bugs_address = "Foyer", "1", ""
    catalogue.last_translator = catalogue.language_team = "Foyer"
    catalogue.header_comment = "# The texts of Foyer's pages and mails for buyers."


def is_translated(message: object) -> bool:
    """Return whether every form of the message has a text."""
    texts = message.string if isinstance(message.string, tuple) else (message.string,)  # type: ignore[attr-defined]
    return all(texts)


if __name__ == "__main__":
    sys.exit(main())
