"""flask doctor: checks that this machine is set up to register customers, and says what to do where it is not."""

from collections.abc import Callable

import click
from flask import current_app
from flask.cli import with_appcontext

from app import database, mail, products, receivers
from app.aws import diagnosis, entitlements
from app.aws.diagnosis import EventsQueue, Rule
from app.errors import (
    ApiDisabled,
    CredentialsRefused,
    IncompleteAnswer,
    MarketplaceError,
    MarketplaceUnavailable,
    PermissionDenied,
    Throttled,
)
from app.services import heartbeats, notices, outbox_reports, readiness

WITHOUT_EVENTS = (
    "EVENTS_QUEUE_URL is not set: no subscription becomes active by itself. Deploy deploy/template.yaml and set it to "
    "the stack's QueueUrl."
)
# As deploy/alarms.md has it: a worker gives a sign of life every ten seconds.
LONGEST_SILENCE_SECONDS = 120
WITHOUT_WORKER = (
    "None has given a sign of life in the last two minutes: no event is read, and no hand-off or mail goes out. Start "
    "one beside the pages, with the same settings: flask --app wsgi worker"
)
ATTACH = "Attach the policy of deploy/template.yaml, the stack's PolicyArn, to their role: it allows"
ADVICE: dict[type[MarketplaceError], str] = {
    diagnosis.RoleRefused: "These credentials may not assume the role. Allow them sts:AssumeRole on "
    "MARKETPLACE_ROLE_ARN and name them in its trust policy, with MARKETPLACE_ROLE_EXTERNAL_ID if that asks for one.",
    CredentialsRefused: "The AWS credentials are missing, wrong or expired. Give this machine an IAM role, or renew "
    "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN; check its clock. Where AWS_PROFILE or "
    "AWS_WEB_IDENTITY_TOKEN_FILE is set, check every file that they name, or sign in again with `aws sso login`.",
    PermissionDenied: "These credentials may not resolve registration tokens. Allow the IAM action "
    'aws-marketplace:ResolveCustomer on Resource "*".',
    ApiDisabled: "ResolveCustomer is disabled in this Region. Set AWS_REGION to another one, such as us-east-1.",
    diagnosis.QueueMissing: "There is no queue at EVENTS_QUEUE_URL. Set it to the QueueUrl of the stack of "
    "deploy/template.yaml, and compare the Region and the account in it.",
    diagnosis.QueueDenied: f"These credentials may not read the queue at EVENTS_QUEUE_URL. {ATTACH} "
    "sqs:GetQueueAttributes and what the worker needs. If it is attached, compare the account in the URL with theirs.",
    diagnosis.DeadLettersMissing: "The queue's dead-letter queue does not exist, so a message that cannot be applied "
    "comes back for two weeks and is lost then. Deploy deploy/template.yaml, which makes both.",
    diagnosis.DeadLettersDenied: f"These credentials may not find the queue's dead-letter queue. {ATTACH} "
    "sqs:GetQueueUrl and sqs:SendMessage on it.",
    diagnosis.RulesDenied: f"These credentials may not look at the rules, which may be right all the same. {ATTACH} "
    "events:ListRuleNamesByTarget, and events:DescribeRule on its own rule.",
    Throttled: "AWS asks for fewer calls. Run the doctor again in a minute.",
    MarketplaceUnavailable: "AWS failed or could not be reached. Check AWS_REGION and EVENTS_QUEUE_URL, every "
    "AWS_ENDPOINT_URL that is set, and this machine's way to the internet.",
    IncompleteAnswer: "What answered resolves a token that does not exist: it is not AWS. Unset AWS_ENDPOINT_URL and "
    "AWS_ENDPOINT_URL_MARKETPLACE_METERING.",
}


@click.command("doctor")
@click.pass_context
@with_appcontext
def command(ctx: click.Context) -> None:
    """Check settings, products, database, AWS credentials, the permission to resolve, and the way of the events."""
    passed = [_check(subject, check) for subject, check in CHECKS.items()]
    if not all(passed):
        ctx.exit(1)


class Wanting(click.ClickException):
    """Nothing is broken, but something is not set up that the seller will want."""


def _check(subject: str, check: Callable[[], str]) -> bool:
    word, finding = _found(check)
    click.echo(f"{word:<5} {subject:<15}  {finding}")
    return word != "FAIL"


def _found(check: Callable[[], str]) -> tuple[str, str]:
    try:
        return "ok", check()
    except Wanting as error:
        return "warn", error.message
    except click.ClickException as error:
        return "FAIL", error.message
    except MarketplaceError as error:
        return "FAIL", f"{ADVICE[type(error)]} ({error.code})"


def _settings() -> str:
    if current_app.config["SESSION_COOKIE_SECURE"]:
        return "Loaded."
    return "Loaded. The session cookie is not kept to HTTPS: before going live, unset SESSION_COOKIE_SECURE."


def _products() -> str:
    return ", ".join(f"{product.name} ({product.code})" for product in products.current().values())


def _database() -> str:
    if obstacle := readiness.obstacle():
        raise click.ClickException(obstacle)
    url = database.current().reading.url
    reach = "; SQLite serves one machine" if url.get_backend_name() == "sqlite" else ""
    return f"{url.render_as_string()} is at revision {readiness.newest_revision()}{reach}"


def _credentials() -> str:
    caller = diagnosis.caller()
    return f"Account {caller.account_id}, {caller.arn}"


def _resolve_customer() -> str:
    url = diagnosis.try_resolving()
    return f"Permitted at {url}. Whether this account published the product, only a real token shows."


def _get_entitlements() -> str:
    contracts = [product.code for product in products.current().values() if product.pricing != "subscription"]
    if not contracts:
        return "Not needed: no product here is a contract."
    try:
        return f"Permitted at {entitlements.try_reading(contracts[0])}."
    except PermissionDenied as error:
        raise click.ClickException(
            "These credentials may not read entitlements. Allow the IAM action aws-marketplace:GetEntitlements on "
            f'Resource "*", or attach the policy of deploy/template.yaml. ({error.code})'
        ) from None


def _queue(otherwise: str) -> EventsQueue:
    if not (url := diagnosis.queue_url()):
        raise Wanting(otherwise)
    return diagnosis.events_queue(url)


def _events_queue() -> str:
    queue = _queue(WITHOUT_EVENTS)
    if queue.dead_letters is None:
        raise click.ClickException(
            f"{queue.arn} has no dead-letter queue, so a message that cannot be applied comes back until it is too old "
            "and is lost then. Deploy deploy/template.yaml, or give the queue one."
        )
    return f"{queue.arn}; what cannot be applied goes to {diagnosis.find_dead_letters(queue.dead_letters)}"


def _event_rules() -> str:
    queue = _queue("They are looked at once EVENTS_QUEUE_URL is set.")
    found = diagnosis.rules(queue)
    topics = f"SNS topics of old listings: {', '.join(queue.topics)}." if queue.topics else ""
    if not found and not topics:
        raise click.ClickException(
            f"No EventBridge rule in {queue.region} sends to the queue, and no SNS topic may. AWS Marketplace's events "
            "come in us-east-1 alone: deploy deploy/template.yaml there, in the account that published the product."
        )
    if not found:
        return f"{topics} There is no rule: a listing since June 2026 needs the one of deploy/template.yaml."
    missing = _missing(queue, found)
    if missing:
        raise click.ClickException(f"These events do not come: {', '.join(missing)}. {_remedy(queue, found)}")
    names = ", ".join(rule.name for rule in found)
    return f"{names}: all {len(notices.KINDS)} kinds of events. {topics}".rstrip()


def _missing(queue: EventsQueue, found: list[Rule]) -> list[str]:
    working = [rule for rule in found if rule.enabled and queue.lets_in(rule)]
    return sorted(kind for kind in notices.KINDS if not any(rule.matches(notices.SOURCE, kind) for rule in working))


def _remedy(queue: EventsQueue, found: list[Rule]) -> str:
    disabled = [
        f"The rule {rule.name} is disabled: `aws events enable-rule --region {queue.region} --name {rule.name}`."
        for rule in found
        if not rule.enabled
    ]
    shut_out = [
        f"The queue's policy does not let events.amazonaws.com send for {rule.arn}."
        for rule in found
        if not queue.lets_in(rule)
    ]
    otherwise = "Otherwise deploy" if disabled or shut_out else "Deploy"
    return " ".join([*disabled, *shut_out, f"{otherwise} deploy/template.yaml, which has them all."])


def _handoffs() -> str:
    addresses = {code: receiver.url for code, receiver in receivers.every().items()}
    if not addresses:
        return "None: no product has a handoff_url. Registrations are in `registrations list`, and in the API."
    inside = [url for url in addresses.values() if receivers.leads_inside(url)]
    if inside and not current_app.config["HANDOFF_ALLOW_PRIVATE"]:
        raise click.ClickException(
            f"No hand-off goes to {', '.join(inside)}, inside a private network, while HANDOFF_ALLOW_PRIVATE is false. "
            "Set it to true, or correct handoff_url."
        )
    failed = outbox_reports.failed(addresses) if readiness.obstacle() is None else []
    if failed:
        raise click.ClickException(
            f"{len(failed)} were given up. Look at `flask --app wsgi handoffs list --outcome failed`, mend the "
            "product, then run `flask --app wsgi handoffs retry --failed`."
        )
    named = ", ".join(f"{products.current()[code].name} at {url}" for code, url in addresses.items())
    return f"{named}. Whether it takes them, only a registration shows."


def _mail() -> str:
    if (way := mail.way()) is None:
        raise Wanting("MAIL_FROM is not set: nobody is mailed. AWS's guidelines ask for a mail to who registered.")
    return f"{way}. Whether it arrives, `flask --app wsgi mails list` shows."


def _worker() -> str:
    if readiness.obstacle() is not None:
        raise Wanting("It is looked for once the database is there.")
    silence = heartbeats.silence_seconds("worker")
    if silence > LONGEST_SILENCE_SECONDS:
        raise Wanting(WITHOUT_WORKER)
    return f"One gave a sign of life {max(silence, 0):.0f} s ago."


CHECKS = {
    "settings": _settings,
    "products": _products,
    "database": _database,
    "credentials": _credentials,
    "ResolveCustomer": _resolve_customer,
    "GetEntitlements": _get_entitlements,
    "events queue": _events_queue,
    "event rules": _event_rules,
    "hand-offs": _handoffs,
    "mail": _mail,
    "worker": _worker,
}
