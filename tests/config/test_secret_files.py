"""Secrets from files: NAME_FILE names the file of every setting that is a secret, and of no other."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from app.config import environment, handoff_endpoints, products, settings
from app.config.settings import SECRETS, SETTINGS, Settings, SettingsError
from tests.support import factories
from tests.support.handoff_receiver import SECRET

ROOT = Path(__file__).parents[2]
VALUES = {
    "SECRET_KEY": "6f1d3c589d534f0e9f430c3f4a7a1f11",
    "SECRET_KEY_FALLBACKS": "0b7d7c5e6c3a4f0e8f2b0d5d1f6c7a10",
    "SECRET_KEY_LEAKED": "3c1f9a6de2b84d7593a05be7c4f81d26",
    "DATABASE_URL": "postgresql://me@db.example/foyer",
    "DATABASE_PASSWORD": "hunter2/hunter2",
    "MARKETPLACE_ROLE_EXTERNAL_ID": "foyer-4b1d7e",
    "HANDOFF_SECRET": SECRET,
    "SMTP_URL": "smtps://me:pass@mail.acme.example",
    "RATELIMIT_STORAGE_URI": "redis://:pass@redis.example:6379/0",
}
# Loads the settings as a user who may read next to nothing.
LOAD_AS_NOBODY = """
import os
from app.config import settings
if os.geteuid() == 0:
    os.seteuid(65534)
settings.load()
"""


@pytest.fixture
def seller(seller: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A seller with a database that has a password."""
    seller.setenv("DATABASE_URL", VALUES["DATABASE_URL"])
    return seller


def write(seller: pytest.MonkeyPatch, path: Path, name: str, content: bytes | str) -> None:
    """Write the file, and let NAME_FILE name it in place of NAME."""
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    seller.delenv(name, raising=False)
    seller.setenv(f"{name}_FILE", str(path))


def shown(loaded: Settings, name: str) -> object:
    value = getattr(loaded, name.lower())
    return ",".join(value) if isinstance(value, tuple) else value


def start_error() -> str:
    with pytest.raises(SettingsError) as raised:
        settings.load()
    return str(raised.value)


def test_every_secret_is_among_the_examples() -> None:
    assert {*VALUES} == {name.upper() for name in SECRETS}


@pytest.mark.parametrize("name", VALUES)
@pytest.mark.parametrize("line_end", ["", "\n", "\r\n"])
def test_every_secret_can_come_from_a_file(
    seller: pytest.MonkeyPatch, tmp_path: Path, name: str, line_end: str
) -> None:
    write(seller, tmp_path / "secret", name, VALUES[name] + line_end)

    loaded = settings.load()

    assert shown(loaded, name) == VALUES[name]
    assert VALUES[name] not in repr(loaded)


@pytest.mark.parametrize(
    "password", [" blanks ", 'a"b', '"quoted"', "pä:ss/w@rd?#%41&=\\", "x" * (environment.MAX_FILE_BYTES - 1)]
)
def test_nothing_but_one_line_end_is_removed(seller: pytest.MonkeyPatch, tmp_path: Path, password: str) -> None:
    write(seller, tmp_path / "secret", "DATABASE_PASSWORD", f"{password}\n")

    assert settings.load().database_password == password


@pytest.mark.parametrize("name", VALUES)
@pytest.mark.parametrize("ending", ["\n\n", "\r", "\n\r", "\r\n\r\n"])
def test_further_line_ends_are_refused(seller: pytest.MonkeyPatch, tmp_path: Path, name: str, ending: str) -> None:
    write(seller, tmp_path / "secret", name, VALUES[name] + ending)

    error = start_error()

    assert f"\n  {name}_FILE: it has a " in error
    assert VALUES[name] not in error


@pytest.mark.parametrize("name", VALUES)
def test_a_secret_and_its_file_are_not_both_taken(seller: pytest.MonkeyPatch, tmp_path: Path, name: str) -> None:
    write(seller, tmp_path / "secret", name, VALUES[name])
    seller.setenv(name, VALUES[name])

    assert f"\n  {name}_FILE: {name} is set as well. Unset one of them. {SETTINGS[name.lower()].description}" in (
        start_error()
    )


def test_empty_variables_count_as_unset(seller: pytest.MonkeyPatch, tmp_path: Path) -> None:
    seller.setenv("SECRET_KEY_FILE", "")
    assert settings.load().secret_key == factories.SECRET_KEY

    write(seller, tmp_path / "secret", "SECRET_KEY", VALUES["SECRET_KEY"])
    seller.setenv("SECRET_KEY", "")
    assert settings.load().secret_key == VALUES["SECRET_KEY"]


def test_name_of_the_variable_may_be_in_lower_case(seller: pytest.MonkeyPatch, tmp_path: Path) -> None:
    write(seller, tmp_path / "secret", "SECRET_KEY", VALUES["SECRET_KEY"])
    seller.delenv("SECRET_KEY_FILE")
    seller.setenv("secret_key_file", str(tmp_path / "secret"))

    assert settings.load().secret_key == VALUES["SECRET_KEY"]


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", "is empty"),
        (b"\n", "is empty"),
        (b"\xff\xfe" + "6f1d3c589d534f0e".encode("utf-16-le"), "is not UTF-8"),
        (b"6f1d3c589d534f0e\xe4", "is not UTF-8"),
        (b"\xef\xbb\xbf6f1d3c589d534f0e", "begins with a byte order mark"),
        (b"6f1d3c589d534f0e" * 5000, "is too large for a secret"),
        ("\u2744".encode() * 50_000, "is too large for a secret"),
    ],
)
def test_file_that_is_no_secret_is_refused(
    seller: pytest.MonkeyPatch, tmp_path: Path, content: bytes, fault: str
) -> None:
    write(seller, tmp_path / "secret", "SECRET_KEY", content)

    error = start_error()

    assert f"\n  SECRET_KEY_FILE: {tmp_path}/secret {fault}" in error
    assert SETTINGS["secret_key"].description in error
    assert "it is not set" not in error
    assert "6f1d3c589d534f0e" not in error


def test_what_is_no_file_is_refused_at_once(seller: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    seller.delenv("SECRET_KEY")
    for name, fault in {
        "missing": "No such file or directory",
        "folder": "It is a directory",
        "folder/": "It is a directory",
        "pipe": "It is a pipe",
        "loop": "Too many levels of symbolic links",
        "n" * 300: "File name too long",
    }.items():
        seller.setenv("SECRET_KEY_FILE", f"{tmp_path}/{name}")
        assert f"\n  SECRET_KEY_FILE: {tmp_path}/{name} cannot be read: {fault}" in start_error()
    seller.setenv("SECRET_KEY_FILE", "/dev/zero")
    assert "\n  SECRET_KEY_FILE: /dev/zero cannot be read: It is a pipe or a device" in start_error()


def test_file_that_may_not_be_read_is_refused_with_the_user(seller: pytest.MonkeyPatch, tmp_path: Path) -> None:
    write(seller, tmp_path / "secret", "SECRET_KEY", VALUES["SECRET_KEY"])
    (tmp_path / "secret").chmod(0)

    started = subprocess.run(
        [sys.executable, "-c", LOAD_AS_NOBODY], cwd=ROOT, capture_output=True, text=True, check=False
    )

    user = os.geteuid() or 65534
    assert f"SECRET_KEY_FILE: {tmp_path}/secret cannot be read: Permission denied. Foyer runs as the user {user}" in (
        started.stderr
    )
    assert "Traceback" not in started.stderr


@pytest.mark.parametrize(
    "value",
    [
        "postgresql://me:hunter2@db.example/foyer",
        "hunter2hunter2",
        "aHVudGVyMg/hunter2==",
        '"/run/hunter2"',
        "hunter2\r",
    ],
)
def test_secret_in_place_of_a_path_is_not_repeated(seller: pytest.MonkeyPatch, value: str) -> None:
    seller.delenv("DATABASE_URL")
    seller.setenv("DATABASE_URL_FILE", value)

    error = start_error()

    assert "\n  DATABASE_URL_FILE: " in error
    assert "hunter2" not in error


def test_links_as_kubernetes_lays_them_are_followed(seller: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "..2026_11_23").mkdir()
    (tmp_path / "..data").symlink_to("..2026_11_23")
    write(seller, tmp_path / "..2026_11_23" / "key", "SECRET_KEY", VALUES["SECRET_KEY"])
    (tmp_path / "key").symlink_to("..data/key")
    seller.setenv("SECRET_KEY_FILE", str(tmp_path / "key"))

    assert settings.load().secret_key == VALUES["SECRET_KEY"]


@pytest.mark.parametrize("name", [name.upper() for name in SETTINGS if name not in SECRETS])
def test_file_for_a_setting_that_is_no_secret_is_refused(seller: pytest.MonkeyPatch, name: str) -> None:
    seller.setenv(f"{name}_FILE", "/run/secrets/it")

    error = start_error()

    assert f"\n  {name}_FILE: only secrets are read from files: SECRET_KEY_FILE, " in error
    assert f"Set {name} in its place." in error


def test_foreign_variables_that_end_in_file_are_left_alone(seller: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_WEB_IDENTITY_TOKEN_FILE", "SSL_CERT_FILE", "FOYER_FILE", "_FILE", "AWS_SECRET_ACCESS_KEY_FILE"):
        seller.setenv(name, str(tmp_path / "missing"))

    assert settings.load()


def test_secret_of_one_product_can_come_from_a_file(seller: pytest.MonkeyPatch, tmp_path: Path) -> None:
    product = products.Product(
        **{**factories.PRODUCT_FIELDS, "code": "abc", "handoff_url": "https://app.acme.example/foyer"},
        handoff_secret_setting="INSIGHTS_HANDOFF_SECRET",
    )
    write(seller, tmp_path / "secret", "INSIGHTS_HANDOFF_SECRET", f"{SECRET}\n")
    assert handoff_endpoints._build_endpoint(product, settings.load()).secrets == (SECRET,)

    for content, fault in {"": f"{tmp_path}/secret is empty", "short": "it must be whsec_ and 24 to 64 bytes"}.items():
        write(seller, tmp_path / "secret", "INSIGHTS_HANDOFF_SECRET", content)
        with pytest.raises(SettingsError, match=f"INSIGHTS_HANDOFF_SECRET_FILE: {fault}"):
            handoff_endpoints._build_endpoint(product, settings.load())

    seller.setenv("INSIGHTS_HANDOFF_SECRET", SECRET)
    with pytest.raises(SettingsError, match="INSIGHTS_HANDOFF_SECRET_FILE: INSIGHTS_HANDOFF_SECRET is set as well"):
        handoff_endpoints._build_endpoint(product, settings.load())
