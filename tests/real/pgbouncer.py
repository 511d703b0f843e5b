"""PgBouncer in transaction mode before a PostgreSQL server, otherwise with its defaults."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy.engine import make_url

from tests.real import programs
from tests.support.ports import free_port

CONFIGURATION = """
[databases]
* = host={host} user={user}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = {pool_size}
"""


@contextmanager
def run_pgbouncer(server_url: str, pool_size: int = 3) -> Iterator[str]:
    """Run PgBouncer before the server, and yield the URL of the same database through it."""
    program, server, port = programs.path_of("pgbouncer"), make_url(server_url), free_port()
    host = str(server.query["host"])
    with TemporaryDirectory(prefix="pgbouncer") as name:
        folder = Path(name)
        folder.chmod(0o755)
        path = folder / "pgbouncer.ini"
        path.write_text(CONFIGURATION.format(host=host, user=server.username, port=port, pool_size=pool_size))
        command = [program, str(path)]
        # It refuses to run as root, and the server's folder is open to the server's own user alone.
        if os.geteuid() == 0:
            owner = Path(host).stat()
            command = ["setpriv", f"--reuid={owner.st_uid}", f"--regid={owner.st_gid}", "--clear-groups", *command]
        with programs.run(command, port, folder / "output.log"):
            yield f"postgresql://{server.username}@127.0.0.1:{port}/{server.database}"
