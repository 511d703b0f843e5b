"""Regular expressions of the seller's, matched in a time that grows evenly with the text.

Python's `re` tries one way after the other, has no time limit, and needs years for `(a+)+b` and a few dozen letters.
Here all ways are followed at once (Thompson's construction): each character is looked at once for each state. What
cannot be matched so, such as a look-ahead, is refused when the pattern is read.
"""

import re
from collections.abc import Callable, Iterable
from re import _constants as ops  # CPython's own reader of patterns: it has no public name
from re import _parser as reader
from typing import Any, NamedTuple

MAX_LENGTH = 200
# What a repetition counts is written out: [A-Z]{2,50} has fifty states.
MAX_STATES = 1000
CATEGORIES = {
    ops.CATEGORY_DIGIT: r"\d",
    ops.CATEGORY_NOT_DIGIT: r"\D",
    ops.CATEGORY_SPACE: r"\s",
    ops.CATEGORY_NOT_SPACE: r"\S",
    ops.CATEGORY_WORD: r"\w",
    ops.CATEGORY_NOT_WORD: r"\W",
}
Step = tuple[Callable[[str], object] | None, int]


class Part(NamedTuple):
    """A part of the pattern: its first and its last state."""

    first: int
    last: int


class Pattern:
    """A regular expression for a whole text, such as `[A-Z]{2}[0-9]{9}`.

    Raises ValueError, which completes "it must be", for one that cannot be read or not be matched evenly.
    """

    def __init__(self, source: str) -> None:
        if len(source) > MAX_LENGTH:
            raise ValueError(f"a regular expression of at most {MAX_LENGTH} characters")
        try:
            parsed = reader.parse(source)
        except (re.error, OverflowError, RecursionError) as error:
            raise ValueError(f"a regular expression that Python's re can read. It says: {error}") from None
        self._flags = parsed.state.flags & (re.IGNORECASE | re.ASCII | re.DOTALL)
        # By state: what a character must be to get to another state; with None, no character is needed.
        self._steps: dict[int, list[Step]] = {}
        self._whole = self._sequence(_without_edges(list(parsed)))

    def fullmatch(self, text: str) -> bool:
        """Return whether the whole text matches."""
        states = self._reachable([self._whole.first])
        for character in text:
            steps = (step for state in states for step in self._steps[state])
            states = self._reachable(state for is_match, state in steps if is_match and is_match(character))
        return self._whole.last in states

    def _reachable(self, states: Iterable[int]) -> set[int]:
        """Return the states, and those that need no further character."""
        found, open_states = set(), list(states)
        while open_states:
            state = open_states.pop()
            if state not in found:
                found.add(state)
                open_states += [target for is_match, target in self._steps[state] if is_match is None]
        return found

    def _state(self) -> int:
        state = len(self._steps)
        if state >= MAX_STATES:
            raise ValueError("a regular expression that repeats less")
        self._steps[state] = []
        return state

    def _join(self, start: int, end: int) -> None:
        self._steps[start].append((None, end))

    def _sequence(self, parts: Any) -> Part:
        first = last = self._state()
        for part in parts:
            built = self._build(*part)
            self._join(last, built.first)
            last = built.last
        return Part(first, last)

    def _build(self, op: Any, value: Any) -> Part:
        match op:
            case ops.SUBPATTERN:
                if value[1] or value[2]:
                    raise ValueError("a regular expression without (?i:...) inside: begin it with (?i)")
                return self._sequence(value[3])
            case ops.BRANCH:
                return self._branch([self._sequence(way) for way in value[1]])
            case ops.MAX_REPEAT | ops.MIN_REPEAT:
                return self._repeat(*value)
            case ops.LITERAL | ops.NOT_LITERAL | ops.ANY | ops.IN:
                part = Part(self._state(), self._state())
                is_match = re.compile(self._source(op, value), self._flags).fullmatch
                self._steps[part.first].append((is_match, part.last))
                return part
        raise ValueError(
            "a regular expression of letters, classes, groups, | and repetitions: without look-ahead, look-behind, "
            r"^ and $ inside, \b, back references and possessive repetitions"
        )

    def _branch(self, ways: list[Part]) -> Part:
        whole = Part(self._state(), self._state())
        for way in ways:
            self._join(whole.first, way.first)
            self._join(way.last, whole.last)
        return whole

    def _repeat(self, least: int, most: Any, part: Any) -> Part:
        first = last = self._state()
        end = self._state()
        for _ in range(least):
            built = self._sequence(part)
            self._join(last, built.first)
            last = built.last
        if most is ops.MAXREPEAT:
            built = self._sequence(part)
            self._join(last, built.first)
            self._join(built.last, last)
        else:
            for _ in range(most - least):
                self._join(last, end)
                built = self._sequence(part)
                self._join(last, built.first)
                last = built.last
        self._join(last, end)
        return Part(first, end)

    def _source(self, op: Any, value: Any) -> str:
        """Return the pattern of one character."""
        if op is ops.ANY:
            return "."
        if op is not ops.IN:
            return f"[{'^' if op is ops.NOT_LITERAL else ''}{_escape(value)}]"
        return f"[{''.join(map(_member, value))}]"


def _without_edges(parts: list[Any]) -> list[Any]:
    """Return the pattern without ^ before it and $ after it: it is for a whole text anyway."""
    if parts and parts[0] == (ops.AT, ops.AT_BEGINNING):
        parts = parts[1:]
    return parts[:-1] if parts and parts[-1] == (ops.AT, ops.AT_END) else parts


def _member(member: tuple[Any, Any]) -> str:
    match member:
        case (ops.NEGATE, _):
            return "^"
        case (ops.RANGE, (start, end)):
            return f"{_escape(start)}-{_escape(end)}"
        case (ops.CATEGORY, category):
            return CATEGORIES[category]
    return _escape(member[1])


def _escape(code: int) -> str:
    return f"\\U{code:08x}"
