"""A program docker, or podman and so on, that writes down how it was called, and does nothing else."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path

SCRIPT = """#!{python}
import json, pathlib, sys
arguments = sys.argv[1:]
files = {{}}
if arguments[0] == "build":
    folder = pathlib.Path(arguments[-1])
    found = [*folder.rglob("*.toml"), *folder.rglob("*.svg")] if folder.name != "{root}" else []
    files = {{str(path.relative_to(folder)): path.read_text() for path in found}}
    if "{edited}":
        pathlib.Path("{edited}").write_text("# edited meanwhile")
typed = sys.stdin.read() if "--password-stdin" in arguments else ""
with open("{calls}", "a") as calls:
    calls.write(json.dumps({{"arguments": arguments, "typed": typed, "files": files}}) + "\\n")
if "inspect" in arguments:
    print('{inspected}')
if arguments[0] == "{failing}":
    sys.exit("{words}")
"""
ROOT = Path(__file__).parents[2]


@dataclass
class FakeDocker:
    """The program, and its calls."""

    path: Path

    @property
    def calls(self) -> list[dict[str, object]]:
        """Each call: the arguments, what was typed, and the .toml and .svg files of the folder that was built."""
        log = self.path.parent / "calls"
        return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []

    @property
    def commands(self) -> list[str]:
        """The first argument of each call."""
        return [call["arguments"][0] for call in self.calls]  # type: ignore[index]


def install(
    folder: Path,
    program: str = "docker",
    architecture: str = "arm64",
    failing: str = "",
    words: str = "",
    edited: Path | str = "",
) -> FakeDocker:
    """Put the program into the folder; `failing` fails with these words, and a build changes the file `edited`."""
    folder.mkdir(exist_ok=True)
    inspected = json.dumps([{"Architecture": architecture}])
    if program == "buildah":
        inspected = json.dumps({"OCIv1": {"architecture": architecture}})
    text = SCRIPT.format(
        python=sys.executable,
        calls=folder / "calls",
        inspected=inspected,
        failing=failing,
        words=words,
        edited=edited,
        root=ROOT.name,
    )
    (folder / program).write_text(text, encoding="utf-8")
    (folder / program).chmod(0o755)
    return FakeDocker(folder / program)
