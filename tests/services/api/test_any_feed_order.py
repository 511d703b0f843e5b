"""Any order of open transactions, savepoints, merges, restarts and reads: a follower ends with what is stored."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, delete, select, text
from sqlalchemy.engine import Transaction

from app.database import clock, transactions
from app.models import Subscription
from app.services.api import cursors, feed, history
from app.services.api.cursors import Cursor
from app.services.api.feed import Filters
from app.services.purchases import subscriptions
from tests.support.databases import on_postgresql
from tests.support.subscription_rows import insert_rows

WRITERS = 4
# The version before the feed had numbers writes the time alone.
OLD_BULK_CHANGE = text("UPDATE subscriptions SET changed_at = :now, offer_type = :value WHERE id = ANY(:ids)")
WRITES = ("insert", "change", "change", "change as before", "merge", "rolled back to savepoint")
STEPS = st.tuples(
    st.sampled_from([*WRITES, "commit", "commit", "roll back", "read", "read", "restart", "waste"]),
    st.integers(0, WRITERS - 1),
    st.integers(0, 30),
    st.sampled_from([1, 2, 200, 200]),
)


@pytest.fixture(autouse=True)
def in_context(app: Flask) -> Iterator[None]:
    """Runs every test in the application's context."""
    with app.app_context():
        yield


@dataclass
class Follower:
    """The program of docs/api.md: what it knows of each subscription, by id."""

    cursor: Cursor = cursors.INITIAL
    known: dict[UUID, str | None] = field(default_factory=dict)

    def read_page(self, limit: int) -> bool:
        """Read one page, and return whether more follows."""
        page = feed.page(Filters(), self.cursor, limit)
        for item in page.items:
            for former_id in item.subscription.former_ids:
                self.known.pop(former_id, None)
            self.known[item.subscription.id] = item.subscription.offer_type
        self.cursor = cursors.decode(page.cursor)
        return page.more

    def read_all(self) -> None:
        while self.read_page(200):
            pass


@dataclass
class Writer:
    """One connection, whose transaction stays open from its first write to its commit."""

    connection: Connection
    transaction: Transaction | None = None
    # No other may write these rows: it would wait.
    locked: set[UUID] = field(default_factory=set)

    def begin(self) -> None:
        self.transaction = self.transaction or self.connection.begin()

    def end(self, *, commits: bool) -> None:
        if self.transaction:
            self.transaction.commit() if commits else self.transaction.rollback()
        self.transaction, self.locked = None, set()


class World:
    """Several writers and a follower, one step after the other."""

    def __init__(self, connections: list[Connection]) -> None:
        self.writers = [Writer(connection) for connection in connections]
        self.follower = Follower()
        self.values = 0

    def do(self, step: str, writer: Writer, which: int, limit: int) -> None:
        match step:
            case "read":
                self.follower.read_page(limit)
            case "restart":
                # It renumbers all rows, so it would wait for every other.
                if not any(other.locked for other in self.writers if other is not writer):
                    writer.begin()
                    history.restart(writer.connection)
                    writer.end(commits=True)
            case "waste":
                writer.begin()
                writer.connection.execute(text("SELECT pg_current_xact_id()"))
            case "commit" | "roll back":
                writer.end(commits=step == "commit")
            case _:
                self.write(step, writer, which)

    def write(self, step: str, writer: Writer, which: int) -> None:
        writer.begin()
        self.values += 1
        value: dict[str, Any] = {"offer_type": str(self.values)}
        if step == "insert":
            writer.locked |= set(insert_rows(writer.connection, clock.now(), **value))
            return
        taken = set().union(*(other.locked for other in self.writers if other is not writer))
        stored_ids = writer.connection.scalars(select(Subscription.id).order_by(Subscription.id))
        ids = [id_ for id_ in stored_ids if id_ not in taken]
        if not ids:
            return
        chosen, other = ids[which % len(ids)], ids[(which + 1) % len(ids)]
        writer.locked |= {chosen, other}
        if step == "change as before":
            parameters = {"now": clock.now(), "value": str(self.values), "ids": [chosen, other]}
            writer.connection.execute(OLD_BULK_CHANGE, parameters)
        elif step == "rolled back to savepoint":
            savepoint = writer.connection.begin_nested()
            subscriptions.update_row(writer.connection, other, {**value, **subscriptions.change()})
            savepoint.rollback()
            subscriptions.update_row(writer.connection, chosen, {**value, **subscriptions.change()})
        else:
            merged = {"former_ids": self.merge(writer.connection, chosen, other)} if step == "merge" else {}
            subscriptions.update_row(writer.connection, chosen, {**value, **merged, **subscriptions.change()})

    def merge(self, connection: Connection, target: UUID, source: UUID) -> list[str]:
        """Delete the source, unless it is the target, and return the target's former ids."""
        rows: dict[UUID, list[str]] = {
            row.id: row.former_ids for row in connection.execute(select(Subscription.id, Subscription.former_ids))
        }
        if target == source:
            return rows[target]
        connection.execute(delete(Subscription).where(Subscription.id == source))
        return [*rows[target], str(source), *rows[source]]

    def finish(self) -> None:
        self.follower.read_all()
        for writer in self.writers:
            writer.end(commits=True)
        self.follower.read_all()


def stored(connection: Connection) -> dict[UUID, str | None]:
    return dict(connection.execute(select(Subscription.id, Subscription.offer_type)).tuples().all())


@on_postgresql
@given(steps=st.lists(STEPS, min_size=10, max_size=60))
def test_follower_ends_with_what_is_stored(app: Flask, steps: list[tuple[str, int, int, int]]) -> None:
    engine = transactions.current_database().write_engine
    connections = [engine.connect() for _ in range(WRITERS)]
    try:
        with engine.begin() as connection:
            connection.execute(delete(Subscription))
            insert_rows(connection, *[clock.now()] * 3)
        world = World(connections)
        for step, writer, which, limit in steps:
            world.do(step, world.writers[writer], which, limit)
        world.finish()

        with engine.begin() as connection:
            assert world.follower.known == stored(connection)
    finally:
        for connection in connections:
            connection.close()
