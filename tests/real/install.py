"""`python -m tests.real.install` installs what `make real` runs: by apt, or it prints how to; uv, npm, debootstrap."""

import os
import shutil

from tests.real import images, packages
from tests.real.search_path import path_of
from tests.support import apt

# By Debian package, a program of it. A test that needs another one names it here.
PROGRAM_BY_PACKAGE = {
    "gettext": "msgfmt",
    "nginx-light": "nginx",
    "caddy": "caddy",
    "haproxy": "haproxy",
    "redis-server": "redis-server",
    "pgbouncer": "pgbouncer",
    "prometheus": "promtool",
    "squid": "squid",
    "tinyproxy": "tinyproxy",
    "postfix": "postfix",
    "firefox-esr": "firefox-esr",
    "webkit2gtk-driver": "WebKitWebDriver",
    "xvfb": "Xvfb",
    "systemd": "systemd-analyze",
    "buildah": "buildah",
    "debootstrap": "debootstrap",
}


def missing_packages() -> list[str]:
    """Return the Debian packages that are not installed."""
    return [package for package, program in PROGRAM_BY_PACKAGE.items() if path_of(program) is None]


def install() -> None:
    """Install what is missing with apt if this runs as root; otherwise print how to."""
    missing = missing_packages()
    if missing and os.geteuid() == 0 and shutil.which("apt-get"):
        print(f"Installing {', '.join(missing)}; this takes a few minutes ...", flush=True)
        apt.install(*missing)
    if missing := missing_packages():
        print(f"Tests are skipped without these: sudo apt-get install --no-install-recommends {' '.join(missing)}")


if __name__ == "__main__":
    install()
    packages.install_missing()
    images.make_missing_base()
