"""Configures gunicorn: two processes of many threads, because a landing mostly waits for AWS."""

import gc
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

# What is loaded at the start is never freed. To scan it for garbage costs time, now and in every later collection.
gc.disable()

# The workers share their metrics through files in this folder, which has to exist when prometheus_client is first
# imported. A SIGHUP runs this file again: the variable is set by then, and the folder stays.
METRICS_PREFIX = Path(tempfile.gettempdir(), "foyer-metrics-")
if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = tempfile.mkdtemp(prefix=METRICS_PREFIX.name, dir=METRICS_PREFIX.parent)

from prometheus_client import multiprocess  # noqa: E402

from app.config.settings import THREADS  # noqa: E402

wsgi_app = "wsgi:app"
preload_app = True
workers = 2
worker_class = "app.gunicorn_worker.BoundedThreadWorker"
threads = THREADS
timeout = 30
graceful_timeout = 20  # also how long a client may take to send its request; a thread may take three times that
keepalive = 75  # longer than a load balancer keeps an idle connection (60 s), so that it never sends into a closed one
# By default gunicorn trusts the scheme and SCRIPT_NAME headers of clients on this machine, and a proxy on this machine
# passes on what browsers sent. TRUSTED_PROXIES alone decides which headers are trusted.
forwarded_allow_ips = ""
control_socket_disable = True


def when_ready(_server: Any) -> None:
    """Exclude what is loaded from every later collection, in this process and in the workers that it forks."""
    gc.freeze()
    gc.enable()


def on_reload(_server: Any) -> None:
    """Enable garbage collection, which this file disabled when SIGHUP ran it; `when_ready` does not run again."""
    gc.enable()


def child_exit(_server: Any, worker: Any) -> None:
    """Remove the gauges of a worker that has exited. Its counters stay."""
    multiprocess.mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]


def on_exit(_server: Any) -> None:
    """Remove the metrics folder, if this file made it."""
    if os.environ["PROMETHEUS_MULTIPROC_DIR"].startswith(str(METRICS_PREFIX)):
        shutil.rmtree(os.environ["PROMETHEUS_MULTIPROC_DIR"], ignore_errors=True)
