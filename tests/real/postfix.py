"""Postfix, which takes mail at a port of this machine over STARTTLS and delivers it to folders."""

import os
import pwd
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.real import programs
from tests.support import certificates

DELIVERY_SECONDS = 10
# Owns the delivered mails: Postfix delivers none as root or as its own user.
MAILBOX_USER = "nobody"
MAIN = """
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
mail_owner = postfix
setgid_group = postdrop
maillog_file = /dev/stdout
myhostname = mail.acme.example
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
smtpd_tls_cert_file = {certificate}
smtpd_tls_key_file = {key}
smtpd_tls_security_level = encrypt
smtpd_tls_loglevel = 1
virtual_mailbox_domains = inline:{{ {domains} }}
virtual_mailbox_maps = inline:{{ {mailboxes} }}
virtual_mailbox_base = {folder}/mail
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
"""
# Each service as Debian has it, but for the port and the chroot, which would need copies of this machine's files.
MASTER = """
127.0.0.1:{port} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
error unix - - n - - error
retry unix - - n - - error
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
proxymap unix - - n - - proxymap
postlog unix-dgram n - n - 1 postlogd
"""


@dataclass(frozen=True)
class Postfix:
    """A configured Postfix: where it listens, whom to trust, what it logs, and the mails that it has delivered."""

    folder: Path
    port: int
    certificate: Path

    @property
    def log(self) -> str:
        return (self.folder / "postfix.log").read_text(errors="replace")

    def wait_for_mails(self, address: str, count: int) -> list[EmailMessage]:
        """Return the mails in the address's mailbox, as soon as there are so many: Postfix delivers after its reply."""
        folder = self.folder / "mail" / address / "new"
        deadline = time.monotonic() + DELIVERY_SECONDS
        while len(paths := list(folder.glob("*"))) < count:
            assert time.monotonic() < deadline, self.log
            time.sleep(0.02)
        return [message_from_bytes(path.read_bytes(), policy=policy.default) for path in paths]

    @contextmanager
    def running(self) -> Iterator[None]:
        """Run it until the `with` block ends."""
        command = [programs.path_of("postfix"), "-c", str(self.folder)]
        with programs.run([*command, "start-fg"], self.port, self.folder / "postfix.log"):
            try:
                yield
            finally:
                # A signal to the command would leave its processes running.
                subprocess.run([*command, "stop"], check=True, capture_output=True)


@contextmanager
def installed(port: int, *addresses: str) -> Iterator[Postfix]:
    """Write the configuration of a Postfix that has these mailboxes; it does not run yet."""
    programs.path_of("postfix")
    if os.geteuid() != 0:
        pytest.skip("Postfix starts as root alone.")
    # Its processes run as other users, and pytest's folders are closed to them.
    with TemporaryDirectory(prefix="postfix") as name:
        folder = Path(name)
        folder.chmod(0o755)
        owner = pwd.getpwnam(MAILBOX_USER)
        for part, user in (("queue", 0), ("data", pwd.getpwnam("postfix").pw_uid), ("mail", owner.pw_uid)):
            (folder / part).mkdir()
            os.chown(folder / part, user, -1)
        _, certificate = certificates.self_signed(folder, "localhost", "127.1")
        values = {
            "folder": folder,
            "certificate": certificate,
            "key": folder / "key.pem",
            "domains": ", ".join(sorted({f"{{ {address.partition('@')[2]} = yes }}" for address in addresses})),
            "mailboxes": ", ".join(f"{{ {address} = {address}/ }}" for address in addresses),
            "uid": owner.pw_uid,
            "gid": owner.pw_gid,
        }
        (folder / "main.cf").write_text(MAIN.format(**values))
        (folder / "master.cf").write_text(MASTER.format(port=port))
        yield Postfix(folder, port, certificate)
