"""Lets the applications of one process share what libraries work out anew for each of them: half of an app's start."""

from collections.abc import Callable
from typing import Any

from botocore.hooks import EventAliaser, HierarchicalEmitter
from werkzeug.routing import Rule

Builder = Callable[..., tuple[str, str]]


def share() -> None:
    """Let tests, each of which creates an application, work out each route and each of botocore's events once."""
    _share_route_builders()
    _share_event_names()


def _share_route_builders() -> None:
    """werkzeug compiles code that builds the URLs of each route."""
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


def _share_event_names() -> None:
    """Every session of botocore looks up the new name of each event, of which all sessions have the same."""
    names: Any = EventAliaser(HierarchicalEmitter())
    find_name = names._alias_event_name
    EventAliaser._alias_event_name = lambda _aliaser, event_name: find_name(event_name)  # type: ignore[attr-defined]
