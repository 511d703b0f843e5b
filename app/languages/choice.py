"""Chooses the language of a visitor by what their browser says."""

from functools import lru_cache

from werkzeug.datastructures import LanguageAccept
from werkzeug.http import parse_accept_header

from app.languages.table import BY_CODE, ENGLISH, Language

# A browser sends about a hundred characters. Of a longer header, nothing is read: nobody speaks so many languages.
MAX_HEADER_LENGTH = 500


def by_header(header: str) -> Language:
    """Return the first of the languages that an Accept-Language header prefers and that we have; else English."""
    return _by_header(header) if header and len(header) <= MAX_HEADER_LENGTH else ENGLISH


@lru_cache(maxsize=256)
def _by_header(header: str) -> Language:
    # In the browser's order: Werkzeug's own choice takes an exact tag far behind over the first one shortened.
    for tag, quality in parse_accept_header(header, LanguageAccept):
        if quality > 0 and tag != "*" and (code := _closest_code(tag)):
            return BY_CODE[code]
    return ENGLISH


def _closest_code(tag: str) -> str | None:
    # Imported only for a visitor whose browser asks for a language.
    import langcodes  # noqa: PLC0415

    try:
        return langcodes.closest_supported_match(tag, list(BY_CODE))
    except ValueError:  # LanguageTagError: a header may hold anything
        return None
