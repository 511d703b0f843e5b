"""Two steps of the image's build: `image_build.py trim SITE_PACKAGES`, and `start-clients` in the finished image."""

import inspect
import os
import shutil
import sys
from pathlib import Path

# What app/aws and app/mail call, and what botocore calls for the credentials of a role, or of a profile that signs in.
CALLED_SERVICES = {
    "events",
    "marketplace-catalog",
    "marketplace-entitlement",
    "meteringmarketplace",
    "sesv2",
    "sqs",
    "sts",
}
CREDENTIALS_SERVICES = {"signin", "sso", "sso-oidc", "sts"}
# Nothing is called with them.
KEYS = {"AWS_ACCESS_KEY_ID": "none", "AWS_SECRET_ACCESS_KEY": "none"}


# Packages for the tests of libraries and of those who write such libraries, and what was compiled.
TESTS = {"test", "tests", "testing"}
SOURCES = {".c", ".cpp", ".h", ".hpp", ".pxd", ".pyi", ".pyx"}


def trim(site_packages: Path) -> None:
    """Remove what no process of Foyer's reads: a third of all.

    Raises:
        SystemExit: a service of AWS that has to stay is not there.
    """
    _trim_botocore(site_packages / "botocore" / "data")
    for folder in [path for path in site_packages.glob("*/*") if path.name in TESTS and path.is_dir()]:
        shutil.rmtree(folder)
    for path in [path for path in site_packages.rglob("*") if path.suffix in SOURCES and path.is_file()]:
        path.unlink()


def _trim_botocore(data: Path) -> None:
    """Remove the 400 services that Foyer does not call; the files beside their folders belong to every service."""
    folders = {folder.name: folder for folder in data.iterdir() if folder.is_dir()}
    kept = CALLED_SERVICES | CREDENTIALS_SERVICES
    if missing := kept - folders.keys():
        raise SystemExit(f"botocore does not have {', '.join(sorted(missing))}. Has it other names for them now?")
    for name in folders.keys() - kept:
        shutil.rmtree(folders[name])


def start_clients() -> None:
    """Start every client, so that no image can be built in which a first call would find that a file is missing."""
    import botocore.session  # noqa: PLC0415  # `trim` runs without the application

    from app.aws import clients  # noqa: PLC0415
    from app.config.settings import Settings  # noqa: PLC0415

    os.environ.update(KEYS)
    methods = inspect.getmembers(clients.Clients(Settings(secret_key="k" * 32), 1), inspect.ismethod)
    for name, method in methods:
        if not name.startswith("_"):
            method(*[clients.OPERATOR_TIMEOUTS] * len(inspect.signature(method).parameters))
    for service in CREDENTIALS_SERVICES:
        botocore.session.Session().create_client(service, "us-east-1")


if __name__ == "__main__":
    if sys.argv[1] == "trim":
        trim(Path(sys.argv[2]))
    else:
        start_clients()
