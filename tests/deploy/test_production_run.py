"""deploy/production.yaml's tasks as processes: buyers register while tasks are killed, updated and rolled back.

`make production` does the same for minutes, at the template's own waits.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from sandbox.server import Sandbox
from tests.production import images, releases, run


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def folder(stack: ExitStack) -> Path:
    return stack.enter_context(images.open_folder())


def test_kills_an_update_and_a_rollback_lose_nothing(stack: ExitStack, folder: Path, sandbox: Sandbox) -> None:
    report = run.run_on_empty_database(stack, folder, sandbox, run.SHORT)

    print(report)
    assert report.is_lossless(at_least=10)
    assert (report.kills, report.updates, report.given_up) == (2, 2, 1)


@pytest.mark.skipif(not images.is_history_available(), reason="the release before is not in a shallow clone")
def test_release_before_runs_beside_this_one(stack: ExitStack, folder: Path, sandbox: Sandbox) -> None:
    report = releases.run_side_by_side(stack, folder, sandbox, run.SHORT)

    print(report)
    assert report.is_lossless(at_least=20)
