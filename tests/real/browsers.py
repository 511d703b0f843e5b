"""Firefox and WebKitGTK without a screen, each driven by its own end of WebDriver (https://www.w3.org/TR/webdriver2/).

WebKitGTK's driver speaks WebDriver's HTTP. Firefox itself speaks Marionette, the same commands as JSON over TCP:
geckodriver, which no package has, only translates between the two.
"""

import itertools
import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

from tests.real import programs
from tests.support.ports import free_port

TIMEOUT_SECONDS = 20
CAPABILITIES: dict[str, Any] = {"capabilities": {"alwaysMatch": {}}}
# The member of an element's reference that has its id.
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
# Of each command: Marionette's name, and WebDriver's method and path.
COMMANDS = {
    "navigate": ("WebDriver:Navigate", "POST", "url"),
    "url": ("WebDriver:GetCurrentURL", "GET", "url"),
    "title": ("WebDriver:GetTitle", "GET", "title"),
    "find": ("WebDriver:FindElement", "POST", "element"),
    "click": ("WebDriver:ElementClick", "POST", "element/{id}/click"),
    "clear": ("WebDriver:ElementClear", "POST", "element/{id}/clear"),
    "type": ("WebDriver:ElementSendKeys", "POST", "element/{id}/value"),
    "text": ("WebDriver:GetElementText", "GET", "element/{id}/text"),
    "property": ("WebDriver:GetElementProperty", "GET", "element/{id}/property/{name}"),
}
Send = Callable[..., Any]


class CommandFailed(Exception):
    """The browser refused a command, as for an element that is not there."""


class Browser:
    """A browser's one tab. `send` sends a command with its parameters, and returns the value of the answer."""

    def __init__(self, send: Send) -> None:
        self._send = send

    @property
    def url(self) -> str:
        return str(self._send("url"))

    @property
    def title(self) -> str:
        return str(self._send("title"))

    def visit(self, url: str) -> None:
        """Go to the page, and wait until it is loaded."""
        self._send("navigate", url=url)

    def click(self, xpath: str) -> None:
        """Wait for the element, and click on it."""
        self._send("click", id=self._find(xpath))

    def text(self, xpath: str) -> str:
        """Wait for the element, and return its text as it is displayed."""
        return str(self._send("text", id=self._find(xpath)))

    def fill_in(self, label: str, value: str) -> None:
        """Type the value into the field with that label, in place of what it has."""
        field = self._find(_field(label))
        self._send("clear", id=field)
        self._send("type", id=field, text=value)

    def value(self, label: str) -> str:
        """Return what the field with that label has."""
        return str(self._send("property", id=self._find(_field(label)), name="value"))

    def _find(self, xpath: str) -> str:
        # WebKitGTK does not wait for the page that a click leads to, and hangs where it waits for an element meanwhile.
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while True:
            try:
                return str(self._send("find", using="xpath", value=xpath)[ELEMENT])
            except CommandFailed:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)


def _field(label: str) -> str:
    return f"//*[@id=//label[starts-with(normalize-space(), '{label}')]/@for]"


@contextmanager
def run_firefox(folder: Path) -> Iterator[Browser]:
    """Run Firefox with a new profile."""
    port = free_port()
    (folder / "user.js").write_text(f'user_pref("marionette.port", {port});\n')
    command = [programs.path_of("firefox-esr"), "--headless", "--marionette", "--no-remote", "--profile", str(folder)]
    with (
        programs.run(command, port, folder / "firefox.log"),
        socket.create_connection(("127.0.0.1", port)) as connection,
    ):
        connection.settimeout(TIMEOUT_SECONDS)
        stream = connection.makefile("rwb")
        numbers = itertools.count()

        def execute(name: str, parameters: dict[str, Any]) -> Any:
            text = json.dumps([0, next(numbers), name, parameters]).encode()
            stream.write(f"{len(text)}:".encode() + text)
            stream.flush()
            _, _, error, result = _read_message(stream)
            if error:
                raise CommandFailed(error)
            return result

        def send(command: str, **parameters: Any) -> Any:
            return execute(COMMANDS[command][0], parameters)["value"]

        _read_message(stream)  # it greets first
        execute("WebDriver:NewSession", CAPABILITIES)
        yield Browser(send)
        execute("Marionette:Quit", {"flags": ["eForceQuit"]})


def _read_message(stream: Any) -> Any:
    length = b"".join(iter(lambda: stream.read(1), b":"))
    return json.loads(stream.read(int(length)))


@contextmanager
def run_webkit(folder: Path) -> Iterator[Browser]:
    """Run WebKitGTK's small browser on a display of its own."""
    display_port, port = free_port(), free_port()
    display = display_port - 6000
    screen = [programs.path_of("Xvfb"), f":{display}", "-listen", "tcp", "-nolisten", "unix", "-ac"]
    driver = [programs.path_of("WebKitWebDriver"), f"--port={port}"]
    variables = {"DISPLAY": f"127.0.0.1:{display}"}
    with (
        programs.run(screen, display_port, folder / "xvfb.log"),
        programs.run(driver, port, folder / "webkit.log", variables),
        requests.Session() as session,
    ):
        session.trust_env = False
        url = f"http://127.0.0.1:{port}/session"
        url += "/" + session.post(url, json=CAPABILITIES, timeout=TIMEOUT_SECONDS).json()["value"]["sessionId"]

        def send(command: str, **parameters: Any) -> Any:
            _, method, path = COMMANDS[command]
            body = parameters if method == "POST" else None
            answer = session.request(method, f"{url}/{path.format(**parameters)}", json=body, timeout=TIMEOUT_SECONDS)
            if not answer.ok:
                raise CommandFailed(answer.text)
            return answer.json()["value"]

        yield Browser(send)
        session.delete(url, timeout=TIMEOUT_SECONDS)


BROWSERS = {"Firefox": run_firefox, "WebKitGTK": run_webkit}
