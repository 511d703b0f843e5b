"""How gunicorn serves Foyer: two processes of many threads, because a landing mostly waits for AWS."""

import tempfile

from app.settings import THREADS

wsgi_app = "wsgi:app"
preload_app = True
workers = 2
worker_class = "gthread"
threads = THREADS
timeout = 30
graceful_timeout = 20
keepalive = 75  # longer than a load balancer keeps an idle connection (60 s)
max_requests = 0
control_socket_disable = True
raw_env = [f"PROMETHEUS_MULTIPROC_DIR={tempfile.mkdtemp(prefix='foyer-metrics-')}"]
