"""The sign-up form of a product that asks questions of its own."""

from collections.abc import Iterator
from typing import Any

from flask import current_app
from wtforms import Field
from wtforms.validators import StopValidation
from wtforms.widgets import Input

from app.config.products import Product
from app.config.question_kinds import text_in
from app.config.questions import ALWAYS_FIRST, FIELD_PREFIX, NO_QUESTIONS, PLACEABLE, Question, Questions
from app.languages.formats import isolated_html
from app.views import question_rules
from app.views.forms import SignupForm

# Of more options, a list that opens is shorter.
MAX_RADIOS = 6
ATTRIBUTES: dict[str, dict[str, object]] = {
    "text": {"dir": "auto"},
    "long_text": {"dir": "auto", "rows": 4},
    "email": {"dir": "ltr", "autocapitalize": "none", "spellcheck": "false"},
    "url": {"dir": "ltr", "autocapitalize": "none", "spellcheck": "false"},
    "number": {"dir": "ltr", "inputmode": "decimal", "autocomplete": "off"},
    "country": {"autocomplete": "country"},
}


class QuestionField(Field):
    """The answer to one question, in the page's language. `data` is as `question_rules.clean` returns it."""

    def __init__(self, question: Question, language: str, **bound: Any) -> None:
        super().__init__(isolated_html(text_in(question.label, language)), **bound)
        self.question = question
        self.language = language
        self.hint = isolated_html(text_in(question.hint, language)) if question.hint else ""
        self.flags.required = question.required
        self.render_kw = ATTRIBUTES.get(question.type, {})
        # For the macro that writes the control.
        self.type = "TextAreaField" if question.type == "long_text" else "QuestionField"
        self.widget = Input(question.type if question.type in {"email", "url"} else "text")

    @property
    def control(self) -> str:
        """What the buyer answers with: a `line`, a `box` to tick, `boxes`, `radios`, or a `list`."""
        type_ = self.question.type
        if type_ == "choice":
            return "radios" if len(self.question.options) <= MAX_RADIOS else "list"
        return {"choices": "boxes", "consent": "box", "country": "list"}.get(type_, "line")

    @property
    def choices(self) -> list[tuple[str, str]]:
        """The options: what is stored of each, and what the buyer sees."""
        if self.question.type == "country":
            return list(question_rules.sorted_country_names(self.language).items())
        return [(value, text_in(label, self.language)) for value, label in self.question.options]

    def process_data(self, value: str | list[str] | bool | None) -> None:
        """Take over what is stored, or what a draft has of it."""
        self.data = self.clean_stored(self.question, value)

    @staticmethod
    def clean_stored(question: Question, value: str | list[str] | bool | None) -> question_rules.Value:
        """Return the stored answer as this question's; a draft has the options that are chosen in lines."""
        typed = value if isinstance(value, list) else str(value or "").split("\n")
        return question_rules.clean(question, ["\n".join(typed)] if question.type == "long_text" else typed)

    def process_formdata(self, valuelist: list[str]) -> None:
        """Take over what the browser sent."""
        self.data = question_rules.clean(self.question, valuelist)

    def pre_validate(self, form: object) -> None:  # noqa: ARG002
        """Refuse an answer that is not accepted."""
        if fault := question_rules.find_fault(self.question, self.data, self.language):
            raise StopValidation(fault)

    def stored_answers(self) -> Iterator[dict[str, Any]]:
        """Yield the answer as it is stored, unless nothing was answered. To give no consent is an answer."""
        if self.data or self.question.type == "consent":
            yield question_rules.stored(self.question, self.data, self.language)


class QuestionForm(SignupForm):
    """A sign-up form with more questions than the built-in ones."""

    def __iter__(self) -> Iterator[Field]:
        """Yield the fields in the order of the page: that of the summary of what is wrong."""
        shown = ["csrf_token", *ALWAYS_FIRST]
        for name in self.order:
            shown += [name, "existing_account"] if name == "account" else [name]
        return iter([self[name] for name in dict.fromkeys([*shown, *self._fields]) if name in self])

    def shows(self, answer: dict[str, Any]) -> bool:
        """Return whether the buyer sees the stored answer in this form, and so takes it away by leaving it out."""
        field = self[name] if (name := f"{FIELD_PREFIX}{answer['id']}") in self else None
        if field is None or field.control == "line":
            return field is not None
        shown = QuestionField.clean_stored(field.question, answer["value"])
        return bool(shown) and question_rules.find_fault(field.question, shown, field.language) is None

    def own_answers(self) -> list[dict[str, Any]]:
        """Return the answers to the product's own questions, as they are stored."""
        fields = (self[name] for name in self.order if name.startswith(FIELD_PREFIX))
        return [answer for field in fields for answer in field.stored_answers()]


def form_class(product: Product | None, language: str) -> type[SignupForm]:
    """Return the form of the product, in the language; made once in each process."""
    if product is None or product.questions == NO_QUESTIONS:
        return SignupForm
    classes: dict[tuple[str, str], type[SignupForm]] = current_app.extensions.setdefault("signup_forms", {})
    key = (product.code, language)
    if key not in classes:
        classes[key] = _make_class(product.questions, language)
    return classes[key]


def _make_class(questions: Questions, language: str) -> type[SignupForm]:
    fields = {f"{FIELD_PREFIX}{question.id}": QuestionField(question, language) for question in questions.asked}
    order = tuple(name if name in PLACEABLE else f"{FIELD_PREFIX}{name}" for name in questions.order)
    # The account's field stays: where it is not asked for, it says that a new one is wanted.
    hidden = dict.fromkeys({"phone", "notes"} - set(order))
    return type("QuestionForm", (QuestionForm,), {**fields, **hidden, "order": order})
