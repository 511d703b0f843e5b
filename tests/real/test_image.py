"""The image as Buildah builds it: its programs run as its user, with a read-only root and empty volumes."""

import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import requests

from sandbox.server import Sandbox
from tests.real import images
from tests.real.images import BASE, Image
from tests.support import app_processes, factories, processes
from tests.support.factories import TOKEN_FIELD
from tests.support.ports import free_port
from tests.support.processes import ROOT

MAX_ADDED_BYTES = 100_000_000
MAX_CPU_SECONDS = 1
IMPORT_ALL_EXTENSIONS = """
import importlib, pathlib, sysconfig
folder = pathlib.Path(sysconfig.get_path("purelib"))
import psycopg
for path in folder.rglob("*.so"):
    importlib.import_module(".".join(path.relative_to(folder).with_name(path.name.split(".")[0]).parts))
"""
PRODUCTS_BUILD = ("--file", str(ROOT / "deploy" / "products.Dockerfile"), "--build-arg")
PRODUCTS = """
[products.prodcode1234567890]
name = "Acme Insights"
sign_in_url = "https://app.acme.example/login"
support_email = "help@acme.example"
"""


@pytest.fixture(scope="module")
def image() -> Iterator[Image]:
    with images.built("localhost/foyer:test", str(ROOT)) as image:
        yield image


@pytest.fixture
def volumes(image: Image, tmp_path: Path) -> Path:
    image.make_volumes(tmp_path / "volumes")
    return tmp_path / "volumes"


@pytest.fixture
def variables(sandbox: Sandbox) -> dict[str, str]:
    """The settings of a container; its database is SQLite, in the volume."""
    settings = factories.environment("", sandbox.aws_url)
    del settings["DATABASE_URL"]
    return settings


@contextmanager
def running(command: list[str]) -> Iterator["subprocess.Popen[str]"]:
    """Run the program during the block, and end it as a container is ended: it has to exit by itself."""
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        yield process
        process.terminate()
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.communicate()


@contextmanager
def serving(image: Image, volumes: Path, variables: dict[str, str]) -> Iterator[tuple[str, int]]:
    """Run the image's own command on a free port; give the block its URL and process once /healthz answers."""
    port = free_port()
    command = [argument.replace("0.0.0.0:8000", f"127.0.0.1:{port}") for argument in image.config["Cmd"]]
    with running(image.command(volumes, variables, *command)) as process:
        url, ends_at = f"http://127.0.0.1:{port}", time.monotonic() + 30
        while process.poll() is None and time.monotonic() < ends_at:
            with suppress(requests.ConnectionError):
                assert requests.get(f"{url}/healthz", timeout=10).text == "ok\n"
                break
            with suppress(subprocess.TimeoutExpired):
                process.wait(0.01)
        yield url, process.pid


def test_image_adds_at_most_100_mb_to_its_base(image: Image) -> None:
    with images.mounted(BASE) as base:
        added = image.size() - base.size()

    assert added <= MAX_ADDED_BYTES


def test_image_runs_as_a_user_who_can_write_only_to_its_volumes(image: Image, volumes: Path) -> None:
    writable = image.run(volumes, {}, "find", "/", "-xdev", "-writable", "-not", "-type", "l").stdout.split()

    assert image.config["User"] == "10001"
    assert set(writable) == set(image.config["Volumes"]) == {"/tmp", "/srv/foyer/instance"}  # noqa: S108
    for path in image.config["Volumes"]:
        assert image.run(volumes, {}, "touch", f"{path}/file").returncode == 0
    assert image.run(volumes, {}, "touch", "/srv/foyer/app/file").returncode == 1


def test_every_compiled_library_still_loads(image: Image, volumes: Path) -> None:
    loaded = image.run(volumes, {}, "python", "-c", IMPORT_ALL_EXTENSIONS)

    assert loaded.stderr == ""


def test_buyer_lands_in_a_container_and_a_worker_runs_beside_it(
    image: Image, volumes: Path, variables: dict[str, str], sandbox: Sandbox
) -> None:
    assert re.fullmatch(r"foyer [\d.]+\n", image.run(volumes, {}, "foyer", "--version").stdout)
    assert image.run(volumes, variables, "foyer", "db", "upgrade").returncode == 0
    variables["EVENTS_QUEUE_URL"] = sandbox.queue_url

    with serving(image, volumes, variables) as (url, _), requests.Session() as buyer:
        assert requests.get(f"{url}/readyz", timeout=10).text == "ready\n"
        page = buyer.post(url, data={TOKEN_FIELD: factories.token(sandbox)}, timeout=10)
        with running(image.command(volumes, variables, "foyer", "worker")) as worker:
            started = app_processes.wait_for_log_event(worker, "worker.started")

    assert (page.status_code, page.url) == (200, f"{url}/signup")
    assert started
    subscriptions = image.run(volumes, variables, "foyer", "subscriptions", "list", "--json")
    assert factories.PRODUCT_CODE in subscriptions.stdout, subscriptions.stderr


def test_container_is_healthy_within_a_second_of_cpu(image: Image, volumes: Path, variables: dict[str, str]) -> None:
    with serving(image, volumes, variables) as (url, pid):
        used = processes.cpu_seconds(pid)
        check = [part.replace("http://127.0.0.1:8000", url) for part in image.config["Healthcheck"]["Test"][1:]]
        healthy = image.run(volumes, {}, *check).returncode

    assert used <= MAX_CPU_SECONDS
    assert healthy == 0


def test_derived_image_has_products_of_a_private_file(image: Image, variables: dict[str, str], tmp_path: Path) -> None:
    folder = tmp_path / "acme"
    folder.mkdir()
    (folder / "products.toml").write_text(PRODUCTS)
    (folder / "products.toml").chmod(0o600)
    settings = {name: value for name, value in variables.items() if "PRODUCT" not in name and "SUPPORT" not in name}

    with images.built("localhost/foyer:products", *PRODUCTS_BUILD, f"BASE={image.name}", str(folder)) as derived:
        derived.make_volumes(tmp_path / "volumes")
        upgraded = derived.run(tmp_path / "volumes", settings, "foyer", "db", "upgrade")

    assert (upgraded.returncode, upgraded.stderr.count("Foyer cannot start")) == (0, 0), upgraded.stderr
