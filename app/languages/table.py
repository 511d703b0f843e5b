"""The table of languages, each with its names for HTML, for its folder and for its speakers."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Language:
    """One language: `code` is BCP 47, as HTML and hand-offs have it, `folder` the locale as gettext and Babel have it.

    `name` is its own, in itself; `dir` is the direction in which it is written.
    """

    code: str
    folder: str
    name: str
    dir: Literal["ltr", "rtl"] = "ltr"


ENGLISH = Language("en", "en", "English")
LANGUAGES = (
    ENGLISH,
    Language("de", "de", "Deutsch"),
    Language("es", "es", "Español"),
    Language("fr", "fr", "Français"),
    Language("pt-BR", "pt_BR", "Português (Brasil)"),
    Language("ar", "ar", "العربية", "rtl"),
    Language("ja", "ja", "日本語"),
    Language("ko", "ko", "한국어"),
    Language("zh-CN", "zh_CN", "简体中文"),
)
TRANSLATED = LANGUAGES[1:]
BY_CODE = {language.code: language for language in LANGUAGES}


def of_code(code: object) -> Language:
    """Return the language with this BCP 47 code; English for None, and for one that is not in the table."""
    return BY_CODE.get(str(code), ENGLISH)
