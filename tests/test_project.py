"""The README, the links of all documents, and the lock files agree with the project."""

import re
from pathlib import Path

import pytest

from app.config.settings import INSTANCE_DIR, SETTINGS

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
# Hidden folders belong to tools, such as the virtual environment.
DOCUMENTS = [path for path in sorted(ROOT.glob("**/*.md")) if not path.relative_to(ROOT).parts[0].startswith(".")]


def settings_table() -> list[str]:
    rows = []
    for name, field in SETTINGS.items():
        default = field.default if not field.is_required else None
        text = str(default).lower() if isinstance(default, bool) else "" if default in (None, ()) else str(default)
        text = text.replace(str(INSTANCE_DIR), "instance")
        rows.append(f"| `{name.upper()}` | {f'`{text}`' if text else ''} | {field.description} |")
    return rows


def test_settings_table_lists_every_setting() -> None:
    table = re.findall(
        r"^\| `[A-Z_]+` \|.*$", (ROOT / "docs" / "settings.md").read_text(encoding="utf-8"), re.MULTILINE
    )

    assert table == settings_table()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_and_picture_in_the_docs_exists(document: Path) -> None:
    targets = re.findall(r"\]\(([^)#:]+)\)", document.read_text(encoding="utf-8"))

    assert [target for target in targets if not (document.parent / target).exists()] == []


def test_every_make_target_in_the_readme_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))

    assert set(re.findall(r"(?:^|`)make ([a-z]+)", README, re.MULTILINE)) <= targets


def test_lock_files_have_hashes_and_no_urls() -> None:
    for name in ("requirements.txt", "requirements-dev.txt"):
        lock = (ROOT / name).read_text(encoding="utf-8")

        assert "://" not in lock
        assert lock.count("==") <= lock.count("--hash=sha256:")


def test_development_pins_the_same_versions_as_production() -> None:
    def pins(name: str) -> set[str]:
        return set(re.findall(r"^([a-z0-9.-]+==[^ ;]+)", (ROOT / name).read_text(encoding="utf-8"), re.MULTILINE))

    assert pins("requirements.txt") <= pins("requirements-dev.txt")
