"""The doctor's checks of what is here: settings, database, counts, what was promised, and who sends it."""

import click
from flask import current_app

from app.cli.doctor.finding import Warn
from app.config import handoff_endpoints, products
from app.database import engine
from app.mail import mailer
from app.mail.mailer import MailUnavailable
from app.security import rate_counters
from app.services.operations import heartbeats, readiness
from app.services.reports import outbox

# As deploy/alarms.md has it: a worker gives a sign of life every ten seconds.
MAX_HEARTBEAT_AGE_SECONDS = 120
NO_WORKER = (
    "None has given a sign of life in the last two minutes: no event is read, and no hand-off or mail goes out. Start "
    "one beside the pages, with the same settings: flask --app wsgi worker"
)


def check_settings() -> str:
    """Return how the settings were read."""
    if current_app.config["SESSION_COOKIE_SECURE"]:
        return "Loaded."
    return "Loaded. The session cookie is not kept to HTTPS: before going live, unset SESSION_COOKIE_SECURE."


def check_products() -> str:
    """Return which products are sold here."""
    return ", ".join(f"{product.name} ({product.code})" for product in products.current().values())


def check_database() -> str:
    """Return which database is used, and that its tables are as they should be."""
    if obstacle := readiness.find_problem():
        raise click.ClickException(obstacle)
    url = engine.current_database().read_engine.url
    reach = "; SQLite serves one machine" if url.get_backend_name() == "sqlite" else ""
    return f"{url.render_as_string()} is at revision {readiness.newest_revision()}{reach}"


def check_rate_counters() -> str:
    """Return where buyers' tries are counted."""
    counts = rate_counters.current()
    if not counts.is_available():
        raise Warn(
            "Redis does not answer: until it does, each process counts buyers' tries for itself. Check "
            "RATELIMIT_STORAGE_URI, and that Redis is running."
        )
    return f"Buyers' tries are counted {counts.SCOPE}."


def check_handoffs() -> str:
    """Return where hand-offs go."""
    addresses = {code: receiver.url for code, receiver in handoff_endpoints.by_product_code().items()}
    if not addresses:
        return "None: no product has a handoff_url. Registrations are in `registrations list`, and in the API."
    inside = [url for url in addresses.values() if handoff_endpoints.is_private_url(url)]
    if inside and not current_app.config["HANDOFF_ALLOW_PRIVATE"]:
        raise click.ClickException(
            f"No hand-off goes to {', '.join(inside)}, inside a private network, while HANDOFF_ALLOW_PRIVATE is false. "
            "Set it to true, or correct handoff_url."
        )
    failed = outbox.failed_handoff_ids(addresses) if readiness.find_problem() is None else []
    if failed:
        raise click.ClickException(
            f"{len(failed)} were given up. Look at `flask --app wsgi handoffs list --outcome failed`, mend the "
            "product, then run `flask --app wsgi handoffs retry --failed`."
        )
    named = ", ".join(f"{products.current()[code].name} at {url}" for code, url in addresses.items())
    return f"{named}. Whether it takes them, only a registration shows."


def check_mail() -> str:
    """Return how mail goes out."""
    if (way := mailer.describe_transport()) is None:
        raise Warn("MAIL_FROM is not set: nobody is mailed. AWS's guidelines ask for a mail to who registered.")
    try:
        mailer.check_connection()
    except MailUnavailable as error:
        raise click.ClickException(
            f"{way}: the server does not let us in. Check SMTP_URL, its user and password, and this machine's way "
            f"there. Until then mails wait, for three days. ({error.code})"
        ) from None
    return f"{way}. Whether it arrives, `flask --app wsgi mails list` shows."


def check_worker() -> str:
    """Return when a worker last gave a sign of life."""
    if readiness.find_problem() is not None:
        raise Warn("It is looked for once the database is there.")
    silence = heartbeats.age_seconds("worker")
    if silence > MAX_HEARTBEAT_AGE_SECONDS:
        raise Warn(NO_WORKER)
    return f"One gave a sign of life {silence:.0f} s ago."
