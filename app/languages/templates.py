"""What templates, of pages and of mails, call to say something in the language in use."""

from datetime import datetime

from jinja2 import Environment, pass_eval_context
from jinja2.nodes import EvalContext

from app.languages import formats, speech
from app.text import format_time


def init_environment(environment: Environment) -> None:
    """Add `_`, `gettext` and `ngettext`, and the filters for dates, numbers and names."""
    # As Jinja's i18n extension has them in its new style, in a third of its time.
    environment.globals.update(_=_gettext, gettext=_gettext, ngettext=_ngettext, language=speech.language)
    environment.filters.update(day=formats.day, clock=_clock, day_and_time=formats.day_and_time)
    environment.filters.update(number=formats.number, bdi=_isolate, isolated=formats.isolated)
    # For a seller's own words: a product may say them in other languages, and of our defaults the catalogue does.
    environment.filters["translated"] = speech.plain


@pass_eval_context
def _gettext(context: EvalContext, message: str, /, **values: object) -> str:
    text = speech.html(message) if context.autoescape else speech.plain(message)
    return text % values if values else text


@pass_eval_context
def _ngettext(context: EvalContext, message: str, plural: str, number: int, /, **values: object) -> str:
    text = speech.n_html if context.autoescape else speech.n_plain
    return text(message, plural, number) % values


@pass_eval_context
def _isolate(context: EvalContext, name: str | None) -> str:
    return formats.isolated_html(name) if context.autoescape else formats.isolated(name)


def _clock(moment: datetime) -> str:
    return formats.isolated(format_time(moment))
