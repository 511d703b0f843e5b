"""Checks sizes and words that no linter checks: `python -m tests.house_rules`, a part of `make check`.

docs/words.md says which word stands for which concept, and why the words below stay out of identifiers.
"""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
FOLDERS = ("app", "deploy", "sandbox", "tests")
MAX_FILE_LINES = 250
MAX_FUNCTION_LINES = 40
MAX_TEST_NAME_LENGTH = 70
MAX_PACKAGE_FILES = 10
# Each with the word that stands for the concept now.
RETIRED_WORDS = {
    "arrival": "landing",
    "arrived": "resolved",
    "bury": "dead_letter",
    "buried": "dead_letter",
    "door": "server, port or view",
    "grave": "dead-letter queue",
    "heard": "received",
    "judged": "cached",
    "knock": "check_connection",
    "letter": "mail",
    "letters": "mails",
    "notice": "event",
    "owed": "pending",
    "park": "store_pending",
    "parked": "pending",
    "parking": "pending_tokens",
    "postman": "mailer",
    "postpone": "reschedule",
    "promise": "enqueue",
    "promised": "enqueued",
    "said": "reply or answers",
    "seal": "cipher",
    "sibling": "other_purchase",
    "siblings": "other_purchases",
    "tell": "announce",
    "told": "payload, reply or event",
    "untold": "backfill",
    "whichever": "any",
}
# Names that stand in the database, in cookies or in AWS's API keep their spelling, and so does "dead letter".
KEPT_NAMES = {"parked_at", "parked_token_id", "parked_tokens", "token_parked_at", "linked_or_waiting"}
DEAD_LETTER = re.compile(r"dead_?letters?", re.IGNORECASE)
WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")


def main() -> int:
    """Print every broken rule, and return how many there are."""
    faults = [fault for path in _python_files() for fault in _check_file(path)]
    faults += _check_packages()
    print("\n".join(faults) or "House rules kept.")
    return min(len(faults), 1)


def _python_files() -> list[Path]:
    return sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))


def _check_file(path: Path) -> Iterator[str]:
    place = path.relative_to(ROOT)
    source = path.read_text(encoding="utf-8")
    if (count := len(source.splitlines())) > MAX_FILE_LINES:
        yield f"{place}: {count} lines, at most {MAX_FILE_LINES}: split it by noun"
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _check_function(place, node)
    for name, line in sorted(_identifiers(tree)):
        if reason := _retired(name):
            yield f"{place}:{line}: {name}: {reason}"


def _check_function(place: Path, function: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[str]:
    length = (function.end_lineno or function.lineno) - function.lineno + 1
    if length > MAX_FUNCTION_LINES and "migrations" not in place.parts:
        yield f"{place}:{function.lineno}: {function.name} has {length} lines, at most {MAX_FUNCTION_LINES}"
    if function.name.startswith("test_") and len(function.name) > MAX_TEST_NAME_LENGTH:
        yield f"{place}:{function.lineno}: {function.name} has {len(function.name)} characters, at most 70"


def _identifiers(tree: ast.AST) -> set[tuple[str, int]]:
    names: dict[str, int] = {}
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                names.setdefault(name, node.lineno)
            case ast.Name(id=name, ctx=ast.Store()) | ast.arg(arg=name) | ast.Attribute(attr=name, ctx=ast.Store()):
                names.setdefault(name, node.lineno)
    return set(names.items())


def _retired(name: str) -> str | None:
    if name in KEPT_NAMES:
        return None
    words = [word.lower() for word in WORD.findall(DEAD_LETTER.sub("", name))]
    return next((f"the word is {RETIRED_WORDS[word]}" for word in words if word in RETIRED_WORDS), None)


def _check_packages() -> Iterator[str]:
    for folder in sorted((ROOT / "app" / "services").iterdir()):
        count = len([path for path in folder.glob("*.py") if path.name != "__init__.py"])
        if count > MAX_PACKAGE_FILES:
            yield f"{folder.relative_to(ROOT)}: {count} modules, at most {MAX_PACKAGE_FILES}"


if __name__ == "__main__":
    sys.exit(main())
