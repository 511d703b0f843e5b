"""What templates, of pages and of mails, call to say something in the language in use."""

from datetime import datetime

from jinja2 import Environment, nodes, pass_eval_context
from jinja2.compiler import CodeGenerator, Frame
from jinja2.nodes import EvalContext

from app.languages import formats, speech
from app.text import format_time

TEXT_FUNCTIONS = {"_", "ngettext"}


class _DirectCalls(CodeGenerator):
    """Calls `_` as it is. Jinja's own way to it looks at what it calls each time, and takes longer than the text."""

    def visit_Call(self, node: nodes.Call, frame: Frame, forward_caller: bool = False) -> None:  # noqa: N802
        if not _is_text(node):
            super().visit_Call(node, frame, forward_caller=forward_caller)
            return
        self.visit(node.node, frame)
        self.write("(context.eval_ctx")
        self.signature(node, frame)
        self.write(")")

    def _output_child_pre(self, node: nodes.Expr, frame: Frame, finalize: CodeGenerator._FinalizeInfo) -> None:
        # In HTML, texts are Markup already: to escape it again only copies it.
        if _is_text(node) and not frame.eval_ctx.volatile and finalize.src is None:
            self.write("(")
        else:
            super()._output_child_pre(node, frame, finalize)


def _is_text(node: nodes.Node) -> bool:
    return isinstance(node, nodes.Call) and isinstance(node.node, nodes.Name) and node.node.name in TEXT_FUNCTIONS


def init_environment(environment: Environment) -> None:
    """Add `_` and `ngettext`, and the filters for dates, numbers and names."""
    environment.code_generator_class = _DirectCalls
    # As Jinja's i18n extension has them in its new style, in a third of its time.
    environment.globals.update(_=_gettext, ngettext=_ngettext, language=speech.language)
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
