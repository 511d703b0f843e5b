"""Measures how a worker sends the hand-offs and mails of registrations, to a product and an SES that cost nothing."""

from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial

from sqlalchemy import create_engine, text

from tests.bench.bench_run import BenchRun, start_each
from tests.bench.filled_databases import StoredDatabase
from tests.bench.measured_worker import MeasuredWorker, run_worker
from tests.bench.report_table import FigureRow, compare, section_heading
from tests.bench.rounds import Figures
from tests.bench.servers import HANDOFFS_AND_MAIL
from tests.support import factories
from tests.support.aws_http_server import AwsHttpServer

HOLD_ALL = text("UPDATE outbox SET next_try_at = NULL WHERE outcome = 'waiting'")
RELEASE_SOME = text(
    "UPDATE outbox SET next_try_at = due_since WHERE outcome = 'waiting' AND registration_id IN"
    " (SELECT DISTINCT registration_id FROM outbox WHERE outcome = 'waiting' LIMIT :registrations)"
)
COUNT_DUE = text("SELECT count(*) FROM outbox WHERE next_try_at IS NOT NULL")
COUNT_SENT = text("SELECT count(*) FROM outbox WHERE outcome = 'delivered'")
COUNT_UNSENT = text("SELECT count(*) FROM outbox WHERE outcome IN ('failed', 'cancelled')")
# The first member is SES's, the others are the product's.
REPLY = b'{"MessageId":"0100-1","url":"https://app.acme.example/teams/7","reference":"team-7"}'


def report_lines(run: BenchRun) -> Iterator[FigureRow | str]:
    """Yield the rows. The messages are those of the registrations that were measured before."""
    with ExitStack() as stack:
        receiver = stack.enter_context(AwsHttpServer(lambda _head, _body: (0, REPLY)))
        urls = {"PRODUCT_HANDOFF_URL": f"{receiver.url}/foyer", "AWS_ENDPOINT_URL_SESV2": receiver.url}
        databases = run.compared_few()
        for database in databases:
            _hold_all(database)
        workers = start_each(stack, databases, partial(run_worker, run, settings=HANDOFFS_AND_MAIL | urls))
        for worker in workers:
            # The registrations' landings have made them due.
            worker.wait_for_reviews()
        results = run.measure(workers, partial(_send, run))
    yield section_heading("Sending, one worker on SQLite", *run.names)
    yield compare("CPU per registration's hand-off and mails, ms", "cpu_ms", *results)
    yield compare("messages of a registration", "messages", *results, decimals=0)


def _hold_all(database: StoredDatabase) -> None:
    engine = create_engine(factories.sqlalchemy_url(database.url))
    with engine.begin() as connection:
        connection.execute(HOLD_ALL)
    engine.dispose()


def _send(run: BenchRun, worker: MeasuredWorker) -> Figures:
    """Let the worker send the messages of so many registrations."""
    registrations, sent, unsent = run.size.registrations, worker.count(COUNT_SENT), worker.count(COUNT_UNSENT)
    cpu = worker.cpu_seconds()
    with worker.database.begin() as connection:
        connection.execute(RELEASE_SOME, {"registrations": registrations})
    worker.wait_until_none(COUNT_DUE)
    cpu, sent = worker.cpu_seconds() - cpu, worker.count(COUNT_SENT) - sent
    run.errors["unsent messages"] += worker.count(COUNT_UNSENT) - unsent
    return {"cpu_ms": cpu / registrations * 1000, "messages": sent / registrations}
