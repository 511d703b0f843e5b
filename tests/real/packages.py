"""Pinned packages of PyPI and npm that tests run, each set in a folder of its own in the user's cache."""

import shutil
import subprocess
import sys
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Literal

from tests.real import cache


@dataclass(frozen=True)
class PackageSet:
    """Packages with their versions, of one registry. A change of a version makes a new folder."""

    name: str
    registry: Literal["PyPI", "npm"]
    pins: tuple[str, ...]

    @property
    def folder(self) -> Path:
        """The folder of a virtual environment, or the one with `node_modules`."""
        return cache.folder(f"{self.name}-{sha256(' '.join(self.pins).encode()).hexdigest()[:12]}")

    @property
    def is_installed(self) -> bool:
        """Whether the packages were installed to the end."""
        return self._complete.exists()

    def install(self) -> None:
        """Install the packages with uv or npm; a failure prints their words, and leaves `is_installed` false."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        commands = self._pypi_commands() if self.registry == "PyPI" else self._npm_commands()
        if all(subprocess.run(command, check=False, cwd=self.folder).returncode == 0 for command in commands):
            self._complete.touch()

    @property
    def _complete(self) -> Path:
        return self.folder / "complete"

    def _pypi_commands(self) -> list[list[str]]:
        uv = [sys.executable, "-m", "uv", "--quiet"]
        python = str(self.folder / "bin" / "python")
        return [
            [*uv, "venv", "--allow-existing", "--python", sys.executable, str(self.folder)],
            [*uv, "pip", "install", "--python", python, *self.pins],
        ]

    def _npm_commands(self) -> list[list[str]]:
        options = ["--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error", "--prefix", str(self.folder)]
        return [["npm", "install", *options, *self.pins]]


AWS_CLI = PackageSet("aws-cli", "PyPI", ("awscli==1.46.3",))
OPENAPI_PYTHON_CLIENT = PackageSet("openapi-python-client", "PyPI", ("openapi-python-client==0.29.1",))
CHECKOV = PackageSet("checkov", "PyPI", ("checkov==3.3.30",))
CHECK_JSONSCHEMA = PackageSet("check-jsonschema", "PyPI", ("check-jsonschema==0.39.0",))
HCL = PackageSet("hcl", "PyPI", ("python-hcl2==8.1.4",))
AWS_SDK = PackageSet(
    "aws-sdk",
    "npm",
    (
        "@aws-sdk/client-marketplace-entitlement-service@3.1138.0",
        "@aws-sdk/client-marketplace-metering@3.1138.0",
        "@aws-sdk/client-sqs@3.1175.0",
    ),
)
WEBHOOKS = PackageSet("webhooks", "npm", ("standardwebhooks@1.1.1", "svix@1.99.1"))
OPENAPI_TYPESCRIPT = PackageSet("openapi-typescript", "npm", ("openapi-typescript@7.13.0", "typescript@5.9.3"))
EQUAL_ACCESS = PackageSet("equal-access", "npm", ("accessibility-checker-engine@4.0.34",))
# Later versions ask for Node 22.
LIGHTHOUSE = PackageSet("lighthouse", "npm", ("lighthouse@12.8.2",))
ALL = (
    *(AWS_CLI, CHECKOV, OPENAPI_PYTHON_CLIENT, CHECK_JSONSCHEMA, HCL),
    *(AWS_SDK, WEBHOOKS, OPENAPI_TYPESCRIPT, EQUAL_ACCESS, LIGHTHOUSE),
)


def install_missing() -> None:
    """Install every set that is not there."""
    for packages in ALL:
        if packages.is_installed:
            continue
        if packages.registry == "npm" and shutil.which("npm") is None:
            print(f"Tests are skipped without {', '.join(packages.pins)}: install Node 20 or later, with npm.")
            continue
        print(f"Installing {', '.join(packages.pins)} from {packages.registry} ...", flush=True)
        packages.install()
