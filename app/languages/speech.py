"""The language in use, its texts, and those with which a product replaces them.

    with speech.use(table.of_code("de")):
        speech.gettext("Hello %(name)s,", name="Ada")  # "Hallo Ada,"

The English texts are the keys (`msgid`) of the catalogues in app/translations. Text is plain, or HTML in which the
values are escaped: `html` and `n_html` return the latter.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cached_property, lru_cache
from gettext import GNUTranslations, NullTranslations
from pathlib import Path
from typing import Any

from markupsafe import Markup, escape

from app.languages.table import ENGLISH, Language

FOLDER = Path(__file__).parents[1] / "translations"
DOMAIN = "foyer"
TAG = re.compile(r"</?[a-z][^<>]*>")
# By the language's code and the English text: the text to use, or one for each plural form.
Texts = Mapping[str, Mapping[str, tuple[str, ...]]]


@lru_cache(maxsize=64)
def load_catalogue(folder: Path, language: Language) -> NullTranslations:
    """Return the language's catalogue, read at first use; an empty one for English."""
    if language == ENGLISH:
        return NullTranslations()
    with (folder / language.folder / "LC_MESSAGES" / f"{DOMAIN}.mo").open("rb") as file:
        return GNUTranslations(file)


def count_plural_forms(language: Language) -> int:
    """Return how many forms a text with a number has in the language, by its catalogue."""
    forms = load_catalogue(FOLDER, language).info().get("plural-forms", "nplurals=2")
    return int(re.findall("nplurals=([0-9]+)", forms)[0])


class Speech:
    """The language and the texts of one page or mail. The language is chosen when the first text is needed."""

    def __init__(self, choose: Callable[[], Language], texts: Texts, folder: Path = FOLDER) -> None:
        self._choose = choose
        self._texts = texts
        self._folder = folder

    @cached_property
    def language(self) -> Language:
        """The language of the page or mail."""
        return self._choose()

    @cached_property
    def catalogue(self) -> NullTranslations:
        """The texts of the language."""
        return load_catalogue(self._folder, self.language)

    @cached_property
    def replaced(self) -> Mapping[str, tuple[str, ...]]:
        """The product's own texts in the language, by the English ones."""
        return self._texts.get(self.language.code, {})

    def about(self, texts: Texts) -> None:
        """Use the texts of this product from now on."""
        self._texts = texts
        self.__dict__.pop("replaced", None)

    def find(self, message: str, plural: str | None = None, number: int = 1) -> tuple[str, bool]:
        """Return the text, in the form for the number, and whether it is the product's own."""
        if forms := self.replaced.get(message):
            form = 0 if len(forms) == 1 else self._form_of(number)
            return forms[min(form, len(forms) - 1)], True
        if plural is None:
            return self.catalogue.gettext(message), False
        return self.catalogue.ngettext(message, plural, number), False

    def _form_of(self, number: int) -> int:
        plural: Callable[[int], int] = getattr(self.catalogue, "plural", lambda count: int(count != 1))
        return plural(number)


ENGLISH_SPEECH = Speech(lambda: ENGLISH, {})
_current: ContextVar[Speech] = ContextVar("speech", default=ENGLISH_SPEECH)


def start(choose: Callable[[], Language], texts: Texts, folder: Path) -> None:
    """Begin a page. `choose` is called when the first text is needed."""
    _current.set(Speech(choose, texts, folder))


def end() -> None:
    """End the page: what follows in this thread is in English."""
    _current.set(ENGLISH_SPEECH)


@contextmanager
def use(language: Language, texts: Texts | None = None, folder: Path | None = None) -> Iterator[None]:
    """Use the language, and a product's texts, in the `with` block."""
    token = _current.set(Speech(lambda: language, texts or {}, folder or _current.get()._folder))
    try:
        yield
    finally:
        _current.reset(token)


def use_texts(texts: Texts) -> None:
    """Use the texts of this product on the page that is being made."""
    _current.get().about(texts)


def language() -> Language:
    """Return the language in use."""
    return _current.get().language


def gettext(message: str, /, **values: object) -> str:
    """Return the text in the language in use, with the values in the places of its `%(name)s`."""
    return _current.get().find(message)[0] % values


def ngettext(message: str, plural: str, number: int, /, **values: object) -> str:
    """Return the text in the form that the language has for the number."""
    return _current.get().find(message, plural, number)[0] % values


def plain(message: str) -> str:
    """Return the text as plain text, its values still to come."""
    return _current.get().find(message)[0]


def n_plain(message: str, plural: str, number: int) -> str:
    """Return the text as plain text, in the form that the language has for the number."""
    return _current.get().find(message, plural, number)[0]


def html(message: str) -> Markup:
    """Return the text as HTML, its values still to come. Of a product's text, only the message's own tags are tags."""
    current = _current.get()
    if current.replaced:
        return _as_html(message, *current.find(message))
    return _own_html(current.catalogue, message)


def n_html(message: str, plural: str, number: int) -> Markup:
    """Return the text as HTML, in the form that the language has for the number."""
    return _as_html(message, *_current.get().find(message, plural, number))


def _as_html(message: str, text: str, is_replaced: bool) -> Markup:
    return _escape(message, text) if is_replaced else _trust(text)


@lru_cache(maxsize=4096)
def _own_html(catalogue: NullTranslations, message: str) -> Markup:
    return _trust(catalogue.gettext(message))


@lru_cache(maxsize=1024)
def _trust(text: str) -> Markup:
    # Our own catalogues have no markup but that of the messages: a test compares them.
    return Markup(text)  # noqa: S704


@lru_cache(maxsize=1024)
def _escape(message: str, text: str) -> Markup:
    escaped = str(escape(text))
    for tag in set(TAG.findall(message)):
        escaped = escaped.replace(str(escape(tag)), tag)
    return Markup(escaped)  # noqa: S704


def N_(message: str) -> str:  # noqa: N802  # gettext's usual name
    """Return the text as it is, marked for the catalogues: it is looked up later."""
    return message


class LazyText:
    """A text that is looked up when it is shown: a form's labels are made before there is a request."""

    def __init__(self, find: Callable[[], str]) -> None:
        self._find = find

    def __str__(self) -> str:
        return self._find()

    def __repr__(self) -> str:
        return repr(self._find())

    def __eq__(self, other: object) -> bool:
        return str(self) == str(other) if isinstance(other, str | LazyText) else NotImplemented

    def __hash__(self) -> int:
        return id(self)

    def __mod__(self, values: Any) -> str:
        # WTForms fills in its own values; ours are in already.
        return self._find()


def lazy_gettext(message: str, /, **values: object) -> LazyText:
    """Return the text of `gettext` when it is shown."""
    return LazyText(lambda: gettext(message, **values))


def lazy_ngettext(message: str, plural: str, number: int, /, **values: object) -> LazyText:
    """Return the text of `ngettext` when it is shown."""
    return LazyText(lambda: ngettext(message, plural, number, **values))
