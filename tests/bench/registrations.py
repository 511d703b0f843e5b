"""Measures whole registrations: four buyers at a time, from the landing to the page after the form."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial

from tests.bench import load_clients
from tests.bench.bench_run import BenchRun, start_each
from tests.bench.buyer_requests import PAGES, Buyer, Page
from tests.bench.load_clients import ResponseTally
from tests.bench.report_table import FigureRow, compare, section_heading
from tests.bench.rounds import Figures, Rounds
from tests.bench.servers import HANDOFFS_AND_MAIL, BenchServer

CONNECTIONS = 4
WHOLE = "whole registration"
MAX_WORKER_MB = 85


@dataclass
class MeasuredRegistrations:
    """CPU milliseconds per buyer and page, each page's responses, and the wrong ones."""

    cpu_ms: dict[str, float] = field(default_factory=dict)
    tallies: dict[str, ResponseTally] = field(default_factory=dict)
    errors: Counter[str] = field(default_factory=Counter)


def register(server: BenchServer, buyers: int, aws_seconds: float = 0) -> MeasuredRegistrations:
    """Let so many buyers register on keep-alive connections."""
    measured = MeasuredRegistrations()
    browsers = [Buyer(aws_seconds) for _ in range(buyers)]
    for page in PAGES:
        cpu = server.cpu_seconds()
        measured.tallies[page.name] = tally = _open_page(server, page, browsers)
        measured.cpu_ms[page.name] = (server.cpu_seconds() - cpu) / buyers * 1000
        measured.errors.update(tally.errors)
    measured.cpu_ms[WHOLE] = sum(measured.cpu_ms.values())
    return measured


def report_lines(run: BenchRun) -> Iterator[FigureRow | str]:
    """Yield the rows with hand-offs and mail, and the memory afterwards."""
    with ExitStack() as stack:
        serve = partial(run.servers.serve_foyer, settings=HANDOFFS_AND_MAIL)
        servers = start_each(stack, run.compared_sqlite(), serve)
        many, few, *older = _measure(run, servers)
        yield from _rows(run, "hand-off and mail stored", [few, *older], whole_at_most=0.55)
        yield section_heading("The same by subscriptions stored", *run.sizes)
        yield from (compare(f"{page.name}, CPU ms", page.name, many, few, at_most=1.05) for page in PAGES)
        yield from _memory_rows(run, servers[1:])


def lines_without_handoffs(run: BenchRun, servers: list[BenchServer]) -> Iterator[FigureRow | str]:
    """Yield the rows of servers that store neither hand-offs nor mails."""
    yield from _rows(run, "neither hand-off nor mail", _measure(run, servers), whole_at_most=0.65)


def _measure(run: BenchRun, servers: list[BenchServer]) -> list[Rounds]:
    def register_all(server: BenchServer) -> Figures:
        measured = register(server, run.size.registrations)
        run.errors.update(measured.errors)
        return measured.cpu_ms

    return run.measure(servers, register_all)


def _rows(run: BenchRun, name: str, results: list[Rounds], whole_at_most: float) -> Iterator[FigureRow | str]:
    yield section_heading(f"Registrations, {name}", *run.names)
    yield from (compare(f"{page.name}, CPU ms", page.name, *results) for page in PAGES)
    yield compare(f"{WHOLE}, CPU ms", WHOLE, *results, at_most=whole_at_most)


def _memory_rows(run: BenchRun, servers: list[BenchServer]) -> Iterator[FigureRow | str]:
    yield section_heading("Memory of a web worker after these registrations", *run.names)
    rss, pss = ([server.worker_mb(kind) for server in servers] for kind in ("Rss", "Pss"))
    older_rss, older_pss = (f"{mb[1]:.0f}" if run.older else "" for mb in (rss, pss))
    yield FigureRow("all mapped memory (RSS), MB", f"{rss[0]:.0f}", older_rss, compared=rss[0], at_most=MAX_WORKER_MB)
    yield FigureRow("private + share of shared memory (PSS), MB", f"{pss[0]:.0f}", older_pss)


def _open_page(server: BenchServer, page: Page, browsers: list[Buyer]) -> ResponseTally:
    senders: dict[bytes, Buyer] = {}

    def requests() -> Iterator[bytes]:
        for browser in browsers:
            request = page.request(browser)
            senders[request] = browser
            yield request

    tally = asyncio.run(load_clients.send_requests(server.port, CONNECTIONS, requests(), page.expected))
    for request, response in tally.exchanges:
        senders[request].receive(response)
    return tally
