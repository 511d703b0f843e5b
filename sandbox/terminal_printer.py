"""Prints the output of the processes of `make run`, and only what matters of starting and stopping them."""

import os
import re
import select
import signal
import sys
import threading

from honcho.manager import SYSTEM_PRINTER_NAME
from honcho.printer import Message, Printer

# What the processes print at the start; the addresses are printed once all of them answer.
READY_LINE = re.compile(r"(Storefront|Example product) http://\S+")
STOP_REQUESTED = re.compile(r"SIG\w+ received")
STOPPED = re.compile(r"(?P<name>\w+) stopped \(rc=(?P<status>-?\d+)\)")


class TerminalPrinter(Printer):  # type: ignore[misc]  # honcho has no types
    """Prints lines until the terminal is closed."""

    is_stopping = False

    def write(self, message: Message) -> None:
        """Print one line of a process; of honcho's own lines, say why everything stops."""
        try:
            if message.name == SYSTEM_PRINTER_NAME:
                self._write_system_line(message.data)
            elif not READY_LINE.match(_decode(message.data)):
                super().write(message)
        except OSError:
            # The terminal was closed, or Ctrl-C also ended a `tee`. Without this, stopping would end with the error.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

    def _write_system_line(self, line: str) -> None:
        if self.is_stopping:
            return
        if STOP_REQUESTED.match(line):
            self._announce_stop("\nStopping ...")
        elif match := STOPPED.match(line):
            self._announce_stop(
                f"\n{match['name']} stopped with status {match['status']}, so everything stops. "
                f"Its last lines are above, marked {match['name']}."
            )

    def _announce_stop(self, text: str) -> None:
        self.is_stopping = True
        print(text, file=self.output, flush=True)


def stop_when_closed(descriptor: int) -> None:
    """Stop this process as Ctrl-C does when the terminal or pipe that it prints to is closed.

    A closed terminal sends SIGHUP to its first process only: that may be `make`, which keeps it to itself.
    """
    threading.Thread(target=_wait_until_closed, args=(descriptor,), daemon=True).start()


def _wait_until_closed(descriptor: int) -> None:
    poll = select.poll()
    poll.register(descriptor, 0)
    [(_, events)] = poll.poll()
    if events & (select.POLLHUP | select.POLLERR):
        os.kill(os.getpid(), signal.SIGINT)


def _decode(data: bytes | str) -> str:
    return data.decode("utf-8", "replace") if isinstance(data, bytes) else data
