"""What templates, of pages and of mails, call to say something in the language in use."""

from datetime import datetime

from jinja2 import Environment, pass_eval_context
from jinja2.nodes import EvalContext

from app.languages import formats, speech
from app.text import format_time


def init_environment(environment: Environment) -> None:
    """Add Jinja's `_`, `gettext` and `ngettext`, and the filters for dates, numbers and names."""
    environment.add_extension("jinja2.ext.i18n")
    environment.install_gettext_callables(_gettext, _ngettext, newstyle=True)  # type: ignore[attr-defined]
    # The extension's own `_` looks `gettext` up again in each template.
    environment.globals["_"] = environment.globals["gettext"]
    environment.globals["language"] = speech.language
    environment.filters.update(day=formats.day, clock=_clock, day_and_time=formats.day_and_time)
    environment.filters.update(number=formats.number, bdi=_isolate, isolated=formats.isolated)
    # For a seller's own words: a product may say them in other languages, and of our defaults the catalogue does.
    environment.filters["translated"] = speech.plain


@pass_eval_context
def _gettext(context: EvalContext, message: str) -> str:
    return speech.html(message) if context.autoescape else speech.plain(message)


@pass_eval_context
def _ngettext(context: EvalContext, message: str, plural: str, number: int) -> str:
    if context.autoescape:
        return speech.n_html(message, plural, number)
    return speech.n_plain(message, plural, number)


@pass_eval_context
def _isolate(context: EvalContext, name: str | None) -> str:
    return formats.isolated_html(name) if context.autoescape else formats.isolated(name)


def _clock(moment: datetime) -> str:
    return formats.isolated(format_time(moment))
