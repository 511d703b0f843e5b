"""Finds a setting's value in the environment: in the variable of its name or, for a secret, in a file.

Docker, Kubernetes and systemd hand secrets over in files, which other users and child processes do not see. The
variable with `_FILE` at its end names the file.
"""

import os
import stat
from codecs import BOM_UTF8
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from app.config import stray_characters

# Hundreds of keys fit.
MAX_FILE_BYTES = 64 * 1024


class Found(NamedTuple):
    """A setting's value, the variable that gives it, and what is wrong with either, which never repeats the value."""

    variable: str
    value: str | None = None
    problem: str | None = None


def find(name: str, variables: Mapping[str, str] | None = None) -> Found:
    """Return the value in the variable of that name. The case of its letters does not matter; empty is unset.

    `variables` are those of `read_variables`, for a caller that looks for many.
    """
    value = (read_variables() if variables is None else variables).get(name.lower())
    fault = stray_characters.find_in_text(value or "")
    return Found(name.upper(), value, f"it has {fault}" if fault else None)


def find_secret(name: str, variables: Mapping[str, str] | None = None) -> Found:
    """Return the value in the variable of that name, or in the file that NAME_FILE names."""
    setting, path = find(name, variables), find(f"{name}_file", variables)
    if path.value is None:
        return setting
    if setting.value is not None:
        return path._replace(value=None, problem=f"{setting.variable} is set as well. Unset one of them")
    try:
        value = _read_file(path.value)
    except ValueError as error:
        return path._replace(value=None, problem=str(error))
    fault = stray_characters.find_control(value)
    return path._replace(value=value, problem=f"it has {fault}" if fault else None)


def read_variables() -> dict[str, str]:
    """Return the environment's variables, by their names in lower case, that have a value."""
    return {name.lower(): value for name, value in os.environ.items() if value}


def _read_file(path: str) -> str:
    if "://" in path:  # such a URL may have a password
        raise ValueError("it must be the path of a file, and is a URL")
    if fault := stray_characters.find_in_exact(path):
        raise ValueError(f"it has {fault}")
    # What is no whole path may be the secret itself.
    shown = path if Path(path).is_absolute() else "the file"
    try:
        content = _read_bytes(path)
    except OSError as error:
        raise ValueError(f"{shown} cannot be read: {_describe_error(error)}") from None
    if len(content) > MAX_FILE_BYTES:
        raise ValueError(f"{shown} is too large for a secret: {MAX_FILE_BYTES} bytes at most")
    if content.startswith(BOM_UTF8):
        raise ValueError(f"{shown} begins with a byte order mark. Save it without one")
    # An editor and `echo` end the last line. All else is a part of the secret.
    if content.endswith(b"\n"):
        content = content.removesuffix(b"\n").removesuffix(b"\r")
    if not content:
        raise ValueError(f"{shown} is empty. Write the secret into it")
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise ValueError(f"{shown} is not UTF-8. Save it as plain text") from None


def _read_bytes(path: str) -> bytes:
    # To open a pipe that nobody writes to would wait for ever.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        raise OSError("It is a directory" if stat.S_ISDIR(mode) else "It is a pipe or a device, and no file")
    with os.fdopen(descriptor, "rb") as file:
        return file.read(MAX_FILE_BYTES + 1)


def _describe_error(error: OSError) -> str:
    reason = error.strerror or str(error)
    return f"{reason}. Foyer runs as the user {os.geteuid()}" if isinstance(error, PermissionError) else reason
