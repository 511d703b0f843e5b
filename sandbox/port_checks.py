"""Checks the ports of `make run` before it starts: each is valid, free, and different from the other three."""

from collections.abc import Iterator, Mapping
from itertools import chain

from sandbox import environment, ports

# Ports on which browsers open no page: https://fetch.spec.whatwg.org/#port-blocking
BLOCKED_BY_BROWSERS = frozenset(
    {1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102, 103, 104, 109, 110}
    | {111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465, 512, 513, 514, 515, 526, 530, 531}
    | {532, 540, 548, 554, 556, 563, 587, 601, 636, 989, 990, 993, 995, 1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060}
    | {5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080}
)
# Below it, only root may listen.
FIRST_SUGGESTED_PORT = 1024


def check(chosen: Mapping[str, str]) -> None:
    """Check the ports, given by the names of their settings.

    Raises:
        SystemExit: a port cannot be used. The message says why, and has the command that starts with free ports.
    """
    numbers = {name: int(value) for name, value in chosen.items() if environment.is_port(value)}
    states = {port: ports.find_state(port) for port in set(numbers.values())}
    faults = [*_find_invalid(chosen), *_find_equal(numbers), *_find_unusable(numbers, states)]
    if faults:
        changed = {name for names, _ in faults for name in names}
        lines = [text for _, text in faults]
        raise SystemExit("\n".join([*lines, "", *_suggest(chosen, changed)]))


Fault = tuple[list[str], str]  # the settings that have to change, and why


def _find_invalid(chosen: Mapping[str, str]) -> Iterator[Fault]:
    for name, value in chosen.items():
        if not environment.is_port(value):
            yield [name], environment.describe_invalid_port(name, value)


def _find_equal(numbers: Mapping[str, int]) -> Iterator[Fault]:
    for port, names in _group_by_port(numbers).items():
        if len(names) > 1:
            # A default gives way to a port that was chosen.
            chosen = [name for name in names if str(port) != environment.DEFAULT_PORTS[name]]
            kept = (chosen or names)[0]
            verb = "are both" if len(names) == 2 else "are all"
            yield (
                [name for name in names if name != kept],
                f"{_join(names)} {verb} {port}. Each needs a port of its own.",
            )


def _find_unusable(numbers: Mapping[str, int], states: Mapping[int, ports.State]) -> Iterator[Fault]:
    groups = _group_by_port(numbers)
    if busy := [port for port in groups if states[port] == "in use"]:
        yield [name for port in busy for name in groups[port]], _describe_busy(numbers, busy)
    for port, names in groups.items():
        if states[port] == "not permitted":
            yield names, f"{_join(names)}: only root may listen on port {port}. Choose one from 1024 on."
        elif port in BLOCKED_BY_BROWSERS and names != ["AWS_PORT"]:
            yield names, f"{_join(names)}: browsers open no page on port {port}, which another protocol uses."


def _describe_busy(numbers: Mapping[str, int], busy: list[int]) -> str:
    if len(busy) == 1:
        return f"Port {busy[0]} is in use."
    text = f"Ports {_join([str(port) for port in busy])} are in use."
    if len(busy) == len(environment.DEFAULT_PORTS):
        url = f"http://127.0.0.1:{numbers['STOREFRONT_PORT']}"
        text += f"\nIf that is `make run` in another terminal, Foyer is running already: open {url}"
    return text


def _suggest(chosen: Mapping[str, str], changed: set[str]) -> list[str]:
    """Return the lines with the command that changes these settings and keeps the others."""
    suggested: dict[str, str] = {}
    used = {int(value) for value in chosen.values() if environment.is_port(value)}
    for name in (name for name in chosen if name in changed):
        port = _find_free(name, chosen[name], used)
        used.add(port)
        suggested[name] = str(port)
    values = {**chosen, **suggested}
    # A default that replaces a port of .env has to be named too.
    named = [name for name in values if name in suggested or values[name] != environment.DEFAULT_PORTS[name]]
    settings = " ".join(f"{name}={values[name]}" for name in named)
    return ["To start with free ports:", "", f"    {settings} make run", ""]


def _find_free(name: str, value: str, used: set[int]) -> int:
    default = int(environment.DEFAULT_PORTS[name])
    wanted = int(value) + 1 if environment.is_port(value) else default
    first = wanted if wanted >= FIRST_SUGGESTED_PORT else default
    candidates = chain(range(first, environment.MAX_PORT + 1), range(FIRST_SUGGESTED_PORT, first))
    excluded = used | BLOCKED_BY_BROWSERS
    return next(port for port in candidates if port not in excluded and ports.find_state(port) == "free")


def _group_by_port(numbers: Mapping[str, int]) -> dict[int, list[str]]:
    return {port: [name for name in numbers if numbers[name] == port] for port in numbers.values()}


def _join(words: list[str]) -> str:
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))
