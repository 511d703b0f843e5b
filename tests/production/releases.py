"""The release before and this one side by side, on one database that this one has migrated."""

import time
from contextlib import ExitStack
from pathlib import Path

from sandbox.server import Sandbox
from tests.endurance.buyer_load import BuyerLoad
from tests.production import images, report
from tests.production.report import ProductionReport
from tests.production.run import PRESENT, RunLength
from tests.production.stack import DEPLOYMENT_SECONDS, DOMAIN, Stack
from tests.support.local_service import Service
from tests.support.local_tasks import ContainerDefinition, Surroundings
from tests.support.postgresql_server import PostgresqlServer

BEFORE = "foyer:before"
ROUNDS = 20
# Each has one task of each service, so that one buyer's requests go to both releases in turn.
ONE_TASK = {"DesiredCount": "1", "HealthCheckGracePeriodSeconds": 60}


class OldSurroundings(Surroundings):
    """What the release before needs in another form than the template gives it."""

    def environment(self, container: ContainerDefinition, temporary: Path) -> dict[str, str]:
        """Return the environment with the password in the URL, and the prefix of the hand-off secret."""
        environment = super().environment(container, temporary)
        password = environment.pop("DATABASE_PASSWORD")
        environment["DATABASE_URL"] = environment["DATABASE_URL"].replace("foyer@", f"foyer:{password}@")
        environment["HANDOFF_SECRET"] = f"whsec_{environment['HANDOFF_SECRET']}"
        return environment


def run_side_by_side(stack: ExitStack, folder: Path, sandbox: Sandbox, length: RunLength) -> ProductionReport:
    """Let buyers come to web tasks of both releases, whose workers share the hand-offs and events."""
    started = time.monotonic()
    server = stack.enter_context(PostgresqlServer(folder / "postgresql"))
    production = Stack(stack, folder, sandbox, server, length.speed)
    commit = images.commit_before_newest_migration()
    production.images |= {
        PRESENT: images.build(folder / "present"),
        BEFORE: images.build_of_commit(commit, folder / "before"),
    }
    files = production.image_files()
    assert production.run_task(["foyer", "db", "upgrade"], PRESENT).stop_reason == "worker ended with 0"
    services = _start_both(stack, production)
    port = production.load_balancer.https_port
    with BuyerLoad(port, sandbox, buyers=length.buyers, sharing=(1,), pause=length.pause, host=DOMAIN) as load:
        for _ in range(ROUNDS):
            load.wait_for_acknowledged(length.registrations)
    log = load.submission_log
    report.wait_for_deliveries(production, log, ends_leases=False)
    tasks = [task for service in services for task in service.all_tasks]
    return ProductionReport(
        f"release {commit[:8]} beside this one{_describe_libraries(commit)}",
        report.count_registrations(production, log),
        report.count_handoffs(production, log),
        report.count_events(production),
        report.count_answers(production, log, [], 0),
        kills=0,
        updates=0,
        given_up=0,
        tasks=len(tasks),
        killed_at_timeout=0,
        error_lines=len(report.error_lines(tasks)),
        written_files=len(production.image_files() - files),
        seconds=time.monotonic() - started,
    )


def _describe_libraries(commit: str) -> str:
    """Return which libraries the release before has here in another version than it was made with."""
    changed = images.requirements_changed_since(commit)
    return f", with {', '.join(changed)}" if changed else ""


def _start_both(stack: ExitStack, production: Stack) -> list[Service]:
    """Start the services of both releases, and wait until all are healthy."""
    names = ("WebService", "WorkerService")
    services = [_start(stack, production, name, image) for image in (PRESENT, BEFORE) for name in names]
    for service in services:
        assert service.wait_until_steady(DEPLOYMENT_SECONDS), service.describe()
    return services


def _start(stack: ExitStack, production: Stack, name: str, image: str) -> Service:
    """Start a service with one task, without the migration: the release before does not know the new tables."""
    task = "WebTask" if name == "WebService" else "WorkerTask"
    definition: list[ContainerDefinition] = [
        {made: value for made, value in container.items() if made != "DependsOn"}
        for container in production.task_definition(task, image)
        if container["Essential"]
    ]
    kind = OldSurroundings if image == BEFORE else Surroundings
    surroundings = kind(**vars(production.surroundings))
    properties = {**production.values(image).properties(name), **ONE_TASK}
    targets = production.load_balancer.targets if name == "WebService" else None
    service = stack.enter_context(Service(properties, surroundings, targets))
    service.update(definition)
    return service
