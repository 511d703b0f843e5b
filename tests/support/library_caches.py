"""Lets the applications of one process share what libraries work out anew for each of them: half of an app's start."""

import os
import sys
from collections import defaultdict
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from botocore import hooks, loaders
from botocore.hooks import EventAliaser, HierarchicalEmitter
from sqlalchemy.engine import Dialect
from sqlalchemy.sql.elements import ClauseElement
from sqlalchemy.util import LRUCache
from werkzeug.routing import Rule

Builder = Callable[..., tuple[str, str]]


def share() -> None:
    """Let tests, each of which creates an application, work out what their libraries need once in a process."""
    _keep_compiled_modules()
    _share_route_builders()
    _share_event_names()
    _share_handler_signatures()
    _share_service_models()
    _share_compiled_statements()


def _keep_compiled_modules() -> None:
    """With PYTHONDONTWRITEBYTECODE, as containers set it, each process of the tests compiles all modules of them."""
    sys.dont_write_bytecode = False
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


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


def _share_handler_signatures() -> None:
    """Every client of botocore looks at the signatures of all its event handlers, mostly the same functions."""
    module: Any = hooks
    accepts_kwargs = lru_cache(1000)(module.accepts_kwargs)
    module.accepts_kwargs = lambda handler: accepts_kwargs(getattr(handler, "__func__", handler))


def _share_service_models() -> None:
    """Every session of botocore parses the descriptions of the services it calls.

    The list of endpoints is not shared: the app removes most of its own copy.
    """
    module: Any = loaders.JSONFileLoader
    load_file = module.load_file
    shared = lru_cache(100)(lambda path: load_file(loaders.JSONFileLoader(), path))
    module.load_file = lambda loader, path: shared(path) if "service-2" in path else load_file(loader, path)


def _share_compiled_statements() -> None:
    """SQLAlchemy compiles each statement once for each engine."""
    compile_statement: Any = ClauseElement._compile_w_cache
    dialects: dict[Any, Dialect] = {}
    caches: defaultdict[Any, Any] = defaultdict(lambda: LRUCache(2000))

    def compile_shared(statement: ClauseElement, dialect: Any, *, compiled_cache: Any, **options: Any) -> Any:
        if compiled_cache is not None:
            # A dialect learns its server's version when it first connects, and compiles some statements by it.
            key = (type(dialect), dialect.server_version_info)
            dialect, compiled_cache = dialects.setdefault(key, dialect), caches[key]
        return compile_statement(statement, dialect, compiled_cache=compiled_cache, **options)

    ClauseElement._compile_w_cache = compile_shared  # type: ignore[assignment, method-assign]
