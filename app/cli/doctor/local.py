"""The doctor's checks of this machine: settings, products, database, rate limits, hand-offs, mail and worker.

Each check returns what it found. With the advice as the message, it raises ClickException for a failure, and
UserWarning where nothing is broken, but something that the seller will want is not set up.
"""

import shlex
from urllib.parse import urlsplit

import click
from flask import current_app
from sqlalchemy import Connection

from app import http_client
from app.cli import tables
from app.config import handoff_endpoints, products
from app.database import clock, postgresql, sqlite_files, transactions
from app.http_client import RequestFailed
from app.mail import mailer
from app.mail.message import MailUnavailable, SenderRefused
from app.security import headers, rate_counters
from app.services.api import history
from app.services.operations import heartbeats, readiness, reseal
from app.services.purchases import drafts
from app.services.reports import outbox

# Workers record a heartbeat every ten seconds; deploy/alarms.md uses the same limit.
MAX_HEARTBEAT_AGE_SECONDS = 120
MAX_FEED_DELAY_SECONDS = 60
OPEN_TRANSACTIONS = (
    "SELECT pid, datname, usename, xact_start, query FROM pg_stat_activity WHERE backend_xid IS NOT NULL "
    "ORDER BY backend_xid::text::bigint;"
)
# Foyer tolerates a minute. A clock that NTP keeps is right to a fraction of a second.
MAX_CLOCK_SECONDS = 5
PROXY_LOGIN = (
    "The proxy requires another user or password: set HTTPS_PROXY to http://user:password@host:3128, with special "
    "characters percent-encoded."
)
PROXY_ADVICE = {
    "url": "Correct handoff_url: it names no host.",
    "proxy_url": "Set HTTPS_PROXY to the URL of an HTTP proxy, such as http://proxy.acme.example:3128.",
    "proxy_407": PROXY_LOGIN,
    "proxy_401": PROXY_LOGIN,
}
PROXY_REFUSES = (
    "The proxy in HTTPS_PROXY cannot be reached, or does not connect to this host. Check its address, and what it "
    "allows this machine; or name the host in NO_PROXY."
)
COUNTED_ALONE = "Until then, each process counts rate limits for itself."
# By the reason that the log has as well.
REDIS_ADVICE = {
    "certificate": "Redis's certificate is not trusted, is expired, or is for another name. Name its authority's file "
    "at the end of RATELIMIT_STORAGE_URI: ?ssl_ca_certs=/path/to/ca.pem",
    "tls": "There is no TLS where rediss:// leads. Set RATELIMIT_STORAGE_URI to Redis's TLS port, or to redis://.",
    "password": "Redis refuses the user or the password, or requires one. Set RATELIMIT_STORAGE_URI to "
    "redis://user:password@host:6379/0, with special characters percent-encoded.",
    "permission": "Redis does not let this user count. Allow it GET, TTL, INCRBY, EXPIRE, EVALSHA and SCRIPT on keys "
    "foyer:*, or set another user in RATELIMIT_STORAGE_URI.",
    "memory": "Redis is out of memory and stores no counts. Raise its maxmemory, or set its maxmemory-policy to "
    "volatile-ttl.",
    "disk": "Redis cannot save to its disk and refuses writes. Free space on it.",
    "read_only": "This Redis is a read-only replica. Set RATELIMIT_STORAGE_URI to the primary.",
    "loading": "Redis is loading its data after a start. Run the doctor again in a minute.",
    "slow": "Redis answers too slowly: a landing asks it several times. Run it near Foyer, and check its load.",
    "closed": "Redis closes the connection. It may have too many (maxclients), take none from other machines "
    "(protected-mode), or require TLS (rediss://).",
    "database_number": "Redis has no database of the number at the end of RATELIMIT_STORAGE_URI. Use 0.",
    "cluster": "This is a Redis Cluster, which Foyer does not support. Set RATELIMIT_STORAGE_URI to one Redis.",
}
REDIS_UNREACHABLE = (
    "Redis does not answer. Check RATELIMIT_STORAGE_URI, that Redis is running and reachable and, for rediss://, that "
    "the port is the one with TLS."
)


def check_settings() -> str:
    """Return that the settings were loaded; a session cookie that works without HTTPS is named."""
    site_host = urlsplit(current_app.config["SITE_URL"] or "").netloc
    if site_host and not headers.is_trusted_host(site_host):
        raise click.ClickException(
            f"TRUSTED_HOSTS does not have {site_host}, the host of SITE_URL: each buyer gets a 400. Add it."
        )
    if current_app.config["SESSION_COOKIE_SECURE"]:
        return "Loaded."
    return "Loaded. The session cookie is also sent over HTTP: before going live, unset SESSION_COOKIE_SECURE."


def check_products() -> str:
    """Return the names and codes of the products."""
    return ", ".join(f"{product.name} ({product.code})" for product in products.current().values())


def check_database() -> str:
    """Return the database's URL, without its password, and its revision. Something is written to it."""
    if problem := readiness.find_schema_problem() or readiness.find_write_problem():
        raise click.ClickException(str(problem))
    engine = transactions.current_database().read_engine
    finding = f"{engine.url.render_as_string()} is at revision {readiness.newest_revision()} and takes writes"
    if engine.url.get_backend_name() != "sqlite":
        return _check_limits(finding)
    if paths := sqlite_files.find_shared_files(engine):
        files = " ".join(shlex.quote(str(path)) for path in paths)
        raise UserWarning(f"{finding}. Other users of this machine can read what buyers typed. Run: chmod 600 {files}")
    return f"{finding}; SQLite serves one machine"


def _check_limits(finding: str) -> str:
    if missing := _missing_limits():
        raise UserWarning(
            f"{finding}, but it sets no limits to how long a statement, a lock or an idle transaction of this role may "
            f"take. Run `foyer db upgrade` as this role, or: {'; '.join(missing)};"
        )
    return finding


@transactions.query
def _missing_limits(connection: Connection) -> list[str]:
    return postgresql.missing_limits(connection)


def check_clock() -> str:
    """Return how far this machine's clock is from the database's."""
    _require_database()
    ahead = clock.current().ahead.total_seconds()
    if abs(ahead) > MAX_CLOCK_SECONDS:
        where = f"{abs(ahead):.0f} s {'ahead of' if ahead > 0 else 'behind'} the database's"
        raise click.ClickException(
            f"This machine's clock is {where}. Sessions and links that one machine makes are refused by another. "
            "Keep all clocks right with NTP, such as chrony."
        )
    return f"Within {MAX_CLOCK_SECONDS} s of the database's."


def check_feed() -> str:
    """Return that the API's readers hear of every change."""
    _require_database()
    if history.is_of_another_server():
        raise click.ClickException(
            "The database was restored from a dump of another server, and the API's readers hear of no change. "
            "Run `foyer db after-restore`."
        )
    seconds = history.seconds_held_up()
    if seconds > MAX_FEED_DELAY_SECONDS:
        raise UserWarning(
            f"For {seconds:.0f} s, the API's readers have not heard of changes: a transaction that has written is open "
            f"on this database server. Look for the first of: {OPEN_TRANSACTIONS}"
        )
    return "The API's readers hear of every change."


def check_secret_keys() -> str:
    """Return how many secret keys are accepted; of a leaked one, since when nothing needs it any more."""
    earlier, leaked = (len(current_app.config[name]) for name in ("SECRET_KEY_FALLBACKS", "SECRET_KEY_LEAKED"))
    if leaked == 0:
        return f"SECRET_KEY and {earlier} earlier." if earlier else "SECRET_KEY alone."
    _require_database()
    last_use, sealed = reseal.last_use(), reseal.count_sealed()
    if sealed or last_use is None:
        raise UserWarning(
            f"SECRET_KEY_LEAKED is set, and {sealed} pending tokens and drafts are encrypted with its keys. A worker "
            "encrypts them anew when it starts, and every hour. Restart the web processes, then the worker, with the "
            "new SECRET_KEY."
        )
    useless_at = last_use + drafts.TTL
    if clock.now() < useless_at:
        raise UserWarning(
            "SECRET_KEY_LEAKED is set. Only drafts in buyers' browsers can still need it, until "
            f"{tables.format_value(useless_at)}. Remove it then."
        )
    raise UserWarning(f"SECRET_KEY_LEAKED has been of no use since {tables.format_value(useless_at)}. Remove it.")


def check_rate_counters() -> str:
    """Return where rate limits are counted."""
    counters = rate_counters.current()
    if problem := counters.find_problem():
        advice = REDIS_ADVICE.get(problem.reason, REDIS_UNREACHABLE)
        raise UserWarning(f"{advice} {COUNTED_ALONE} ({problem.reason}: {problem.detail})")
    return f"Rate limits are counted {counters.SCOPE}."


def check_handoffs() -> str:
    """Return the URL that each product's hand-offs are sent to."""
    urls = {code: endpoint.url for code, endpoint in products.current().handoff_endpoints.items()}
    if not urls:
        return "None: no product has a handoff_url. See registrations with `foyer registrations list`, or in the API."
    private_urls = [url for url in urls.values() if handoff_endpoints.is_private_url(url)]
    if private_urls and not current_app.config["HANDOFF_ALLOW_PRIVATE"]:
        raise click.ClickException(
            f"No hand-off is sent to {', '.join(private_urls)}, in a private network, while HANDOFF_ALLOW_PRIVATE is "
            "false. Set it to true, or correct handoff_url."
        )
    failed = outbox.failed_handoff_ids(urls) if readiness.find_schema_problem() is None else []
    if failed:
        raise click.ClickException(
            f"{len(failed)} failed for good. See `foyer handoffs list --outcome failed`, fix the product, "
            "then run `foyer handoffs retry --failed`."
        )
    endpoints = ", ".join(f"{products.current()[code].name} at {url}{_try_way_to(url)}" for code, url in urls.items())
    return f"{endpoints}. Only a registration shows whether the product accepts them."


def _try_way_to(url: str) -> str:
    try:
        proxy = http_client.try_proxy(url)
    except RequestFailed as error:
        advice = PROXY_ADVICE.get(error.code, PROXY_REFUSES)
        raise click.ClickException(f"No hand-off reaches {url}. {advice} ({error.code})") from None
    return f" through the proxy {proxy}" if proxy else ""


def check_mail() -> str:
    """Return how mail is sent; the connection is tried, and no mail is sent."""
    if (transport := mailer.describe_transport()) is None:
        raise UserWarning(
            "MAIL_FROM is not set: no mail is sent. AWS's guidelines ask for a mail to each buyer who registers."
        )
    try:
        mailer.check_connection()
    except SenderRefused as error:
        raise click.ClickException(
            f"{transport}: the server does not let this user send as MAIL_FROM. Correct MAIL_FROM, or allow it on the "
            "server. Mails are retried for three days; send those that failed by then again with `mails retry "
            f"--failed-since`. ({error.code})"
        ) from None
    except MailUnavailable as error:
        raise click.ClickException(
            f"{transport}: the server cannot be reached or refuses the login. Check SMTP_URL, its user and password, "
            f"and this machine's connection to it. Mails are retried for three days. ({error.code})"
        ) from None
    return f"{transport}. See whether mails arrive with `foyer mails list`."


def check_worker() -> str:
    """Return the age of the latest heartbeat of any worker."""
    _require_database()
    heartbeat_age = heartbeats.age_seconds("worker")
    if heartbeat_age > MAX_HEARTBEAT_AGE_SECONDS:
        raise UserWarning(
            "No worker has been active in the last two minutes: no event is read, and no hand-off or mail is sent. "
            "Start one beside the web processes, with the same settings: foyer worker"
        )
    return f"The last heartbeat was {heartbeat_age:.0f} s ago."


def _require_database() -> None:
    if readiness.find_schema_problem() is not None:
        raise UserWarning("Not checked: the database is not ready.")
