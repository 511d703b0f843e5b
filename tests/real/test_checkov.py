"""checkov on the templates: a check fails only where the resource says, in its Metadata, why it is skipped."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.real import packages, programs
from tests.support import templates


@pytest.mark.parametrize("template", [templates.EVENTS, templates.PRODUCTION], ids=lambda path: str(path.name))
def test_checkov_finds_nothing_that_is_not_skipped_with_a_reason(template: Path, tmp_path: Path) -> None:
    program = programs.folder_of(packages.CHECKOV) / "bin" / "checkov"
    command = [
        str(program),
        "--file",
        str(template),
        "--framework",
        "cloudformation",
        "--output",
        "json",
        "--skip-download",
    ]
    environment = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}

    checked = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)

    report: dict[str, Any] = json.loads(checked.stdout)
    results = report["results"]
    assert [(check["check_id"], check["resource"]) for check in results["failed_checks"]] == []
    assert results["parsing_errors"] == []
    assert len(results["passed_checks"]) + len(results["skipped_checks"]) > 0
    assert all(len(check["check_result"]["suppress_comment"]) > 10 for check in results["skipped_checks"])
