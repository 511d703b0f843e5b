"""Configures gunicorn as gunicorn.conf.py does; its workers date usage by the sandbox's clock."""

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

from app.services.metering import clock
from sandbox import remote_clock

# "gunicorn.conf" is no name that Python could import: gunicorn is a package.
_spec = spec_from_file_location("foyer_gunicorn_config", Path(__file__).parents[1] / "gunicorn.conf.py")
assert _spec, "gunicorn.conf.py is in this project"  # noqa: S101
assert _spec.loader, "Python loads its own files"  # noqa: S101
_config = module_from_spec(_spec)
_spec.loader.exec_module(_config)
globals().update({name: value for name, value in vars(_config).items() if not name.startswith("_")})


def post_fork(_server: Any, _worker: Any) -> None:
    """Set the clock in each worker: what one process has read, another does not know."""
    clock.set_source(remote_clock.from_environment().now)
