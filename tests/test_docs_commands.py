"""Every command that README.md, CONTRIBUTING.md and docs/sandbox.md print for a newcomer works as it is printed."""

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import boto3
import botocore.session
import pytest
from botocore import xform_name
from flask import Flask

from app.config.settings import SETTINGS
from sandbox import environment as make_run
from sandbox.server import Sandbox
from tests.support import app_processes
from tests.support.databases import on_sqlite
from tests.support.unavailable import do_without

ROOT = Path(__file__).parents[1]
DOCUMENTS = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "docs/sandbox.md")]
TARGETS = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
MAKE = re.compile(r"""(?<!install )make (?P<target>[a-z]+)(?: ARGS="(?P<arguments>[^".]+)")?""")
# Debian 12 has 7.88; `--json` came with 7.82.
PROGRAMS = ("bash", "curl", "jq")
# The aws command line is not installed: its calls are written down instead.
WRITE_AWS_CALLS = "aws() { printf '%s\\0' \"$@\" >>aws-calls; printf '\\n' >>aws-calls; }"


def shell_blocks(document: Path) -> list[str]:
    return re.findall(r"^ *```sh\n(.*?)^ *```$", document.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


BLOCKS = [block for document in DOCUMENTS for block in shell_blocks(document)]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_commands_stand_in_shell_blocks_alone(document: Path) -> None:
    indented = re.findall(r"^    (?:\$|flask|python|\.venv|make|curl) .*$", document.read_text("utf-8"), re.MULTILINE)

    assert indented == []


def test_no_block_has_a_comment_which_zsh_would_run() -> None:
    assert BLOCKS
    assert [block for block in BLOCKS if shlex.split(block, comments=True) != shlex.split(block)] == []


def test_no_block_asks_for_an_activated_virtual_environment() -> None:
    words = {line.split()[0] for block in BLOCKS for line in block.splitlines() if line.strip()}

    assert words.isdisjoint({"flask", "foyer", "gunicorn", "pip", "pytest", "python"})


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_make_command_has_a_target_and_a_command(app: Flask, document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    code = "\n".join([*shell_blocks(document), *re.findall(r"`([^`\n]+)`", text)])
    commands = list(MAKE.finditer(code))

    assert {match["target"] for match in commands} <= TARGETS
    for arguments in filter(None, (match["arguments"] for match in commands)):
        result = app.test_cli_runner().invoke(args=[*shlex.split(arguments), "--help"])
        assert result.exit_code == 0, f"{arguments}: {result.output}"


def test_every_setting_in_front_of_a_command_exists() -> None:
    names = {name for block in BLOCKS for name in re.findall(r"^([A-Z_]+)=\S* .*make run", block, re.MULTILINE)}
    names |= {name for block in BLOCKS for name in re.findall(r"([A-Z]+_PORT)=", block)}

    assert names >= {"LOG_LEVEL", *make_run.DEFAULT_PORTS}
    assert names <= {*make_run.DEFAULT_PORTS, *(name.upper() for name in SETTINGS)}


def test_example_product_starts_alone_as_documented(tmp_path: Path) -> None:
    [block] = [block for block in BLOCKS if "sandbox.example" in block]
    make_run.add_defaults({}, tmp_path / "instance")
    (tmp_path / ".venv").symlink_to(sys.prefix)
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "EXAMPLE_PORT": "0"}
    # exec, so that the signal is received by the product.
    command = ["bash", "-c", f"exec env {block}"]

    with subprocess.Popen(command, cwd=tmp_path, env=env, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        line = process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        status = process.wait(10)

    assert line.startswith("Example product http://127.0.0.1:")
    assert status == 0


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """A sandbox with the products of `make run`, and the app and worker with its settings."""
    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def app_url(sandbox: Sandbox, database_url: str, tmp_path: Path) -> Iterator[str]:
    """The app with its worker, with the settings of `make run`."""
    chosen = {"DATABASE_URL": database_url, "AWS_PORT": sandbox.aws_url.rpartition(":")[2]}
    settings = make_run.add_defaults(chosen, tmp_path / "instance")
    settings["EVENTS_QUEUE_URL"] = sandbox.queue_url
    with app_processes.run_gunicorn(settings) as url, app_processes.run_worker(settings, subprocess.DEVNULL):
        yield url


def run_blocks(blocks: list[str], folder: Path, sandbox: Sandbox, app_url: str) -> str:
    """Run the blocks from top to bottom in one shell, with the ports of this test; return what they print."""
    if missing := [program for program in PROGRAMS if not shutil.which(program)]:
        do_without(f"not installed: {', '.join(missing)}")
    script = "\n".join(["set -eu", WRITE_AWS_CALLS, *blocks])
    for printed, used in (("http://127.0.0.1:8001", sandbox.storefront_url), ("http://localhost:8000/", app_url)):
        script = script.replace(printed, used)
    env = app_processes.inherited_environment()
    done = subprocess.run(
        ["bash", "-c", script], cwd=folder, env=env, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@on_sqlite
def test_examples_of_the_sandbox_run_from_top_to_bottom(sandbox: Sandbox, app_url: str, tmp_path: Path) -> None:
    send_mail(sandbox, "ada@example.com", "Welcome: http://localhost:8000/welcome")
    blocks = [block for block in shell_blocks(ROOT / "docs" / "sandbox.md") if "curl" in block or " aws " in block]

    output = run_blocks(blocks, tmp_path, sandbox, app_url)

    statuses = re.findall(r"^HTTP/1.1 (\d+)", output, re.MULTILINE)
    assert statuses == ["303", "400", "303"]
    lines = output.splitlines()
    assert "http://localhost:8000/welcome" in lines
    assert "Location: /signup" in lines
    assert "foyer_parked_tokens 1.0" in lines
    assert "ended" in lines
    assert lines.count("2") == 1
    calls = (tmp_path / "aws-calls").read_text(encoding="utf-8").splitlines()
    assert len(calls) == 2
    for call in calls:
        check_aws_call(call.rstrip("\0").split("\0"))


def send_mail(sandbox: Sandbox, address: str, text: str) -> None:
    keys = {"aws_access_key_id": "sandbox", "aws_secret_access_key": "sandbox"}
    client = boto3.client("sesv2", endpoint_url=sandbox.aws_url, region_name="us-east-1", **keys)  # type: ignore[call-overload]
    content = {"Simple": {"Subject": {"Data": "Welcome"}, "Body": {"Text": {"Data": text}}}}
    client.send_email(FromEmailAddress="a@acme.example", Destination={"ToAddresses": [address]}, Content=content)
    client.close()


def check_aws_call(arguments: list[str]) -> None:
    """Check that the aws command line has this service, operation and options."""
    service, operation, *rest = arguments
    model = botocore.session.get_session().get_service_model(service)
    operations = {xform_name(name, "-"): name for name in model.operation_names}
    shape = model.operation_model(operations[operation]).input_shape
    members = shape.members if shape else {}
    options = {word for word in rest if word.startswith("--")}
    assert options <= {"--region", "--endpoint-url", *(f"--{xform_name(name, '-')}" for name in members)}
