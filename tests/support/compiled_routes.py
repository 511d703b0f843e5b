"""Lets the applications of one process share what werkzeug compiles for each route."""

from collections.abc import Callable
from typing import Any

from werkzeug.routing import Rule

Builder = Callable[..., tuple[str, str]]


def share() -> None:
    """Compile each route once: every test creates an application, and half of that time would go into its routes."""
    compile_builder: Callable[[Rule, bool], Builder] = Rule._compile_builder
    builders: dict[Any, Builder] = {}

    def shared_builder(rule: Rule, append_unknown: bool = True) -> Builder:
        if rule.defaults:
            return compile_builder(rule, append_unknown)
        key = (rule.rule, *rule._trace, append_unknown)
        if key not in builders:
            builders[key] = compile_builder(rule, append_unknown)
        return builders[key]

    Rule._compile_builder = shared_builder  # type: ignore[assignment, method-assign]
