"""How gunicorn serves Foyer: two processes of many threads, because a landing mostly waits for AWS."""

import gc
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

# What is loaded at the start stays for good: to look through it for rubbish costs time now and at every later look.
gc.disable()

# The workers count together in these files; prometheus_client looks for the folder when it is first imported.
# After a SIGHUP this file is read again, and the folder is there already.
OURS = Path(tempfile.gettempdir(), "foyer-metrics-")
if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = tempfile.mkdtemp(prefix=OURS.name, dir=OURS.parent)

from prometheus_client import multiprocess  # noqa: E402

from app.config.settings import THREADS  # noqa: E402

wsgi_app = "wsgi:app"
preload_app = True
workers = 2
worker_class = "app.gunicorn_worker.BoundedThreadWorker"
threads = THREADS
timeout = 30
graceful_timeout = 20  # also what a client gets to send its request in; three times that in all
keepalive = 75  # longer than a load balancer keeps an idle connection (60 s)
# Gunicorn would believe the scheme and the SCRIPT_NAME of whoever connects from this machine, and a proxy here passes
# on what browsers sent. Only TRUSTED_PROXIES says what is believed.
forwarded_allow_ips = ""
control_socket_disable = True


def when_ready(_server: Any) -> None:
    """Leave what is loaded out of every later collection, in this process and in the workers it forks."""
    gc.freeze()
    gc.enable()


def on_reload(_server: Any) -> None:
    """Collect again: this file, read once more, has stopped it, and no `when_ready` follows a SIGHUP."""
    gc.enable()


def child_exit(_server: Any, worker: Any) -> None:
    """Forget the gauges of a worker that has gone; its counts stay."""
    multiprocess.mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]


def on_exit(_server: Any) -> None:
    """Remove the folder that was made for this run."""
    if os.environ["PROMETHEUS_MULTIPROC_DIR"].startswith(str(OURS)):
        shutil.rmtree(os.environ["PROMETHEUS_MULTIPROC_DIR"], ignore_errors=True)
