"""What stays in the image, compared with what the code needs. tests/real/test_image.py builds it."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import botocore
import pytest

from deploy import image_build

ROOT = Path(__file__).parents[2]
BOTOCORE = Path(botocore.__file__).parent
CLIENT_NAME = re.compile(
    r"""(?:_client|_client_creator|load_service_model|create_nested_client)\(\s*(?:self\._session,\s*)?["']([a-z0-9-]+)["']"""
)


@pytest.fixture
def trimmed(tmp_path: Path) -> Path:
    """A folder with botocore as it is in the image."""
    shutil.copytree(BOTOCORE, tmp_path / "botocore", copy_function=os.symlink)
    image_build.trim(tmp_path)
    return tmp_path


def start_clients(folder: Path) -> "subprocess.CompletedProcess[str]":
    """Do with this botocore what the image's build does."""
    return subprocess.run(
        [sys.executable, str(ROOT / "deploy" / "image_build.py"), "start-clients"],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": f"{folder}:{ROOT}"},
        capture_output=True,
        text=True,
        check=False,
    )


def named_services(*paths: Path) -> set[str]:
    """Return the services that the modules name where they make a client."""
    return {name for path in paths for name in CLIENT_NAME.findall(path.read_text(encoding="utf-8"))}


def test_image_keeps_the_services_that_the_code_calls() -> None:
    assert named_services(*(ROOT / "app").rglob("*.py")) == image_build.CALLED_SERVICES


def test_image_keeps_the_services_that_give_credentials() -> None:
    assert named_services(BOTOCORE / "credentials.py", BOTOCORE / "tokens.py") == image_build.CREDENTIALS_SERVICES


def test_every_client_starts_with_what_is_kept(trimmed: Path) -> None:
    kept = {path.name for path in (trimmed / "botocore" / "data").iterdir() if path.is_dir()}

    assert kept == image_build.CALLED_SERVICES | image_build.CREDENTIALS_SERVICES
    assert start_clients(trimmed).returncode == 0


@pytest.mark.parametrize("name", ["events", "sso-oidc", "endpoints.json", "sdk-default-configuration.json"])
def test_image_without_a_file_of_a_client_is_not_built(trimmed: Path, name: str) -> None:
    path = trimmed / "botocore" / "data" / name
    (shutil.rmtree if path.is_dir() else Path.unlink)(path)

    assert start_clients(trimmed).returncode != 0


def test_tests_and_sources_of_libraries_are_removed_and_modules_stay(trimmed: Path) -> None:
    for path in ("library/tests/test_it.py", "library/testing/tools.py", "library/fast.pyx", "library/types.pyi"):
        (trimmed / path).parent.mkdir(parents=True, exist_ok=True)
        (trimmed / path).touch()
    (trimmed / "library" / "test.py").touch()
    (trimmed / "library" / "inner" / "tests").mkdir(parents=True)

    image_build.trim(trimmed)

    assert sorted(path.name for path in (trimmed / "library").rglob("*")) == ["inner", "test.py", "tests"]


def test_service_that_botocore_has_renamed_is_not_lost(tmp_path: Path) -> None:
    for name in (image_build.CALLED_SERVICES | image_build.CREDENTIALS_SERVICES) - {"sesv2"}:
        (tmp_path / "botocore" / "data" / name).mkdir(parents=True)

    with pytest.raises(SystemExit, match="sesv2"):
        image_build.trim(tmp_path)
