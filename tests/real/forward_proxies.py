"""Squid and tinyproxy, which connect to the product for Foyer: on a port of this machine, otherwise by default."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.real import programs
from tests.support.ports import free_port

# It alone knows these names. Of the second it refuses the address, as a private one.
NAME, PRIVATE_NAME = "app.acme.example", "inside.acme.example"
SQUID = """
http_port 127.0.0.1:{port}
hosts_file {folder}/hosts
cache_log {folder}/cache.log
access_log none
pid_filename none
netdb_filename none
coredump_dir {folder}
cache deny all
shutdown_lifetime 0 seconds
acl inside dst 127.0.0.2
http_access deny inside
http_access allow CONNECT
http_access deny all
"""
HOSTS = f"127.0.0.1 {NAME}\n127.0.0.2 {PRIVATE_NAME}\n"
USER, PASSWORD = "acme", "sesame7"
TINYPROXY = f"""
Listen 127.0.0.1
Port {{port}}
Timeout 30
BasicAuth {USER} {PASSWORD}
Filter "{{folder}}/filter"
"""


@contextmanager
def run_squid() -> Iterator[str]:
    """Run Squid, and yield its host and port."""
    with _run("squid", ["-N", "-f"], SQUID, {"hosts": HOSTS}) as address:
        yield address


@contextmanager
def run_tinyproxy(refused_name: str) -> Iterator[str]:
    """Run tinyproxy, which asks for the user and password and refuses this name; yield its host and port."""
    with _run("tinyproxy", ["-d", "-c"], TINYPROXY, {"filter": f"{refused_name}\n"}) as address:
        yield address


@contextmanager
def _run(program: str, options: list[str], configuration: str, files: dict[str, str]) -> Iterator[str]:
    path, port = programs.path_of(program), free_port()
    with TemporaryDirectory(prefix=program) as name:
        folder = Path(name)
        # Started by root, Squid becomes another user.
        folder.chmod(0o777)
        for file, text in {**files, "configuration": configuration.format(port=port, folder=folder)}.items():
            (folder / file).write_text(text)
        with programs.run([path, *options, str(folder / "configuration")], port, folder / "output.log"):
            yield f"127.0.0.1:{port}"
