"""SQLite's writer when its process ends, or forks."""

import subprocess
import sys
from pathlib import Path

import pytest

OPEN = """
import os, sys, threading
from sqlalchemy import create_engine, event, text
from app.database import sqlite, sqlite_files, sqlite_writer

engine = create_engine(f"sqlite:///{sys.argv[1]}")
sqlite.configure_engine(engine)
sqlite_files.create(sys.argv[1])
writer = sqlite_writer.Writer(engine.execution_options(**sqlite.IMMEDIATE_TRANSACTION))
writer.write(lambda connection: connection.execute(text("CREATE TABLE names (name TEXT)")))


def insert(name):
    writer.write(lambda connection: connection.execute(text("INSERT INTO names VALUES (:name)"), {"name": name}))


def count():
    with engine.connect() as connection:
        return connection.execute(text("SELECT count(*) FROM names")).scalar_one()

"""
AFTER_THE_MAIN_THREAD = """
def finish():
    threading.main_thread().join()
    insert("request that was under way")
    print(count(), flush=True)


threading.Thread(target=finish).start()
"""
# Forked while the parent's write, which is committed, still holds the lock file.
FORKED = """
committed, forked = threading.Event(), threading.Event()
event.listen(engine, "checkin", lambda *_: (committed.set(), forked.wait()), once=True)
parents_write = threading.Thread(target=writer.write, args=(lambda connection: None,))
parents_write.start()
committed.wait()
if child := os.fork():
    forked.set()
    parents_write.join()
    os.waitpid(child, 0)
    print(count(), flush=True)
else:
    insert("child")
    os._exit(0)
"""


@pytest.mark.parametrize("script", [AFTER_THE_MAIN_THREAD, FORKED], ids=["after the main thread", "forked"])
def test_write_after_exit_or_fork_is_stored(script: str, tmp_path: Path) -> None:
    command = [sys.executable, "-c", OPEN + script, str(tmp_path / "names.db")]

    process = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)

    assert (process.stdout, process.stderr, process.returncode) == ("1\n", "", 0)
