"""One mail and its sender, for tests of the mail transports."""

from app.mail import message, smtp
from app.mail.message import Mail, Sender

TAG = "01930000-0000-7000-8000-000000000001"
MAIL = Mail("ada@gmail.com", "Hello", "As text", "<p>As HTML</p>", "help@acme.example")
SENDER = Sender("Acme", "start@acme.example")
# Another spelling of 127.0.0.1 that `is_loopback` does not recognise, so the mailer treats it as a remote server.
REMOTE_HOST = "127.1"


def send_by_smtp(port: int, mail: Mail = MAIL, sender: Sender = SENDER, url: str = "smtp://127.0.0.1:{}") -> str:
    """Send the mail to the server at that port and return its Message-ID."""
    return smtp.send(message.normalise(mail), sender, TAG, url.format(port))
