"""The environment of a short run, as the long ones have it."""

from tests.endurance.conftest import run_environment

__all__ = ["run_environment"]
