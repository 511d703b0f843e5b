"""The list of the image's packages that `make sbom` writes with CycloneDX's own program, which validates it."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.support.processes import ROOT

PIN = re.compile(r"^([a-z0-9.-]+)==([^ ;]+)(?: ; (.+?))? \\$", re.MULTILINE)
# Of what the lock has for other systems and Pythons; the image has none of it.
NOT_IN_IMAGE = ("sys_platform == 'win32'", "python_full_version < '3.1")


def test_sbom_lists_every_package_of_the_image_with_its_hashes(tmp_path: Path) -> None:
    path = tmp_path / "foyer.cdx.json"
    made = subprocess.run(
        ["make", "-s", "-o", ".venv/ready", "sbom", f"SBOM={path}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode and "CI" not in os.environ:
        pytest.skip(f"make sbom needs PyPI: {made.stderr[-500:]}")

    assert (made.returncode, made.stderr) == (0, "")
    document = json.loads(path.read_text(encoding="utf-8"))
    assert (document["bomFormat"], document["metadata"]["component"]["name"]) == ("CycloneDX", "foyer")
    lock = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    pins = {(name, version) for name, version, marker in PIN.findall(lock) if not marker.startswith(NOT_IN_IMAGE)}
    assert {(made["name"], made["version"]) for made in document["components"]} == pins
    for component in document["components"]:
        assert component["purl"] == f"pkg:pypi/{component['name']}@{component['version']}"
        assert any(reference.get("hashes") for reference in component["externalReferences"])
