"""The doctor's checks of AWS: credentials, permissions, the events queue and its EventBridge rules.

They are made as those of `local`. A failure may also be a MarketplaceError, to which ADVICE has the advice.
"""

import os
from urllib.parse import urlsplit

import click

from app import errors
from app.aws import event_kinds, get_entitlements, meter_usage, sdk_variables, setup_checks
from app.aws.setup_checks import EventRule, EventsQueue
from app.config import products
from app.config.usage_rules import UsageRules
from app.services.operations import readiness
from app.services.usage_reports import backlog

ATTACH_POLICY = "Attach the policy of deploy/template.yaml, the stack's PolicyArn, to their role: it allows"
ADVICE: dict[type[errors.MarketplaceError], str] = {
    setup_checks.AssumeRoleDenied: "These credentials may not assume the role. Allow them sts:AssumeRole on "
    "MARKETPLACE_ROLE_ARN and name them in its trust policy, with MARKETPLACE_ROLE_EXTERNAL_ID if that asks for one.",
    errors.CredentialsRefused: "The AWS credentials are missing, wrong or expired. Give this machine an IAM role, or "
    "renew AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN; check its clock. Where AWS_PROFILE or "
    "AWS_WEB_IDENTITY_TOKEN_FILE is set, check every file that they name, or sign in again with `aws sso login`.",
    errors.PermissionDenied: "These credentials may not resolve registration tokens. Allow the IAM action "
    'aws-marketplace:ResolveCustomer on Resource "*".',
    errors.SetupInvalid: "The AWS SDK cannot make this call with these settings. Check AWS_REGION and "
    "EVENTS_QUEUE_URL, every AWS_ENDPOINT_URL that is set, HTTPS_PROXY, AWS_CA_BUNDLE, and what AWS_PROFILE names.",
    errors.ApiDisabled: "ResolveCustomer is disabled in this Region. Set AWS_REGION to another one, such as us-east-1.",
    setup_checks.QueueMissing: "There is no queue at EVENTS_QUEUE_URL. Set it to the QueueUrl of the stack of "
    "deploy/template.yaml, and compare the Region and the account in it.",
    setup_checks.QueueAccessDenied: f"These credentials may not read the queue at EVENTS_QUEUE_URL. {ATTACH_POLICY} "
    "sqs:GetQueueAttributes and what the worker needs. If it is attached, check that the URL has their account.",
    setup_checks.DeadLetterQueueMissing: "The queue's dead-letter queue does not exist, so a message that cannot "
    "be applied is received again and again for two weeks, then lost. Deploy deploy/template.yaml, which creates both.",
    setup_checks.DeadLetterQueueAccessDenied: f"These credentials may not find the queue's dead-letter queue. "
    f"{ATTACH_POLICY} sqs:GetQueueUrl and sqs:SendMessage on it.",
    setup_checks.RulesAccessDenied: f"These credentials may not read the rules, so they were not checked. "
    f"{ATTACH_POLICY} events:ListRuleNamesByTarget, and events:DescribeRule on its own rule.",
    errors.Throttled: "AWS throttled the call. Run the doctor again in a minute.",
    errors.MarketplaceUnavailable: "AWS failed or could not be reached. Check AWS_REGION and EVENTS_QUEUE_URL, every "
    "AWS_ENDPOINT_URL that is set, and this machine's internet connection.",
    errors.IncompleteAnswer: "The endpoint resolved a token that does not exist, so it is not AWS. Unset "
    "AWS_ENDPOINT_URL and AWS_ENDPOINT_URL_MARKETPLACE_METERING.",
}

# AWS takes no usage of the future, nor of more than a day ago; Foyer leaves two minutes to each side.
MAX_CLOCK_SECONDS = 120
LOCAL_HOSTS = {"localhost", "127.0.0.1", "::1"}
LOCAL_ENDPOINT = (
    "Nothing answers at {}, on this machine. Start the sandbox there with `make run`, in another terminal. To use AWS, "
    "unset every AWS_ENDPOINT_URL that is set."
)


def describe(error: errors.MarketplaceError) -> str:
    """Return the advice on the error, with the variables that have a stray character first."""
    endpoint = os.environ.get("AWS_ENDPOINT_URL", "")
    if error.code == "EndpointConnectionError" and urlsplit(endpoint).hostname in LOCAL_HOSTS:
        return f"{LOCAL_ENDPOINT.format(endpoint)} ({error.code})"
    is_ours = isinstance(error, errors.CredentialsRefused | errors.SetupInvalid)
    faults = _describe_variables() if is_ours else []
    return " ".join([*faults, f"{ADVICE[type(error)]} ({error.code})"])


def _describe_variables() -> list[str]:
    return [f"{name} has {fault}." for name, fault in sdk_variables.find_faults().items()]


def check_credentials() -> str:
    """Return the account and ARN of the credentials."""
    if faults := _describe_variables():
        raise click.ClickException(f"{' '.join(faults)} AWS credentials and addresses never have that.")
    account_id, arn = setup_checks.get_caller_identity()
    return f"Account {account_id}, {arn}"


def check_resolve_customer() -> str:
    """Return the endpoint that resolves tokens, tried with a made-up token."""
    url = setup_checks.check_resolve_customer()
    return f"Permitted at {url}. Only a real token shows whether this account published the product."


def check_get_entitlements() -> str:
    """Return the endpoint that lists entitlements; only products sold by contract need it."""
    contracts = [product.code for product in products.current().values() if product.pricing != "subscription"]
    if not contracts:
        return "Not needed: no product is sold by contract."
    try:
        return f"Permitted at {get_entitlements.check_access(contracts[0])}."
    except errors.PermissionDenied as error:
        raise click.ClickException(
            "These credentials may not read entitlements. Allow the IAM action aws-marketplace:GetEntitlements on "
            f'Resource "*", or attach the policy of deploy/template.yaml. ({error.code})'
        ) from None


def check_batch_meter_usage() -> str:
    """Return the endpoint that takes usage, tried without any; only products that meter usage need it."""
    if not _meters_usage():
        return "Not needed: no usage is metered."
    try:
        access = meter_usage.check_access()
    except errors.PermissionDenied as error:
        raise click.ClickException(
            "These credentials may not meter usage, so none is billed. Allow the IAM action "
            'aws-marketplace:BatchMeterUsage on Resource "*", or deploy deploy/template.yaml again: its policy has it. '
            f"({error.code})"
        ) from None
    except errors.ApiDisabled as error:
        raise click.ClickException(
            f"AWS takes no usage from this account in this Region. Set AWS_REGION to us-east-1. ({error.code})"
        ) from None
    ahead = access.seconds_ahead or 0
    if abs(ahead) > MAX_CLOCK_SECONDS:
        raise UserWarning(
            f"This machine's clock is {abs(ahead):.0f} s {'ahead of' if ahead > 0 else 'behind'} AWS's, so usage is "
            "frozen and sent at the wrong time. Keep all clocks right with NTP, such as chrony."
        )
    return (
        f"Permitted at {access.url}, which was asked without usage. AWS has books of its own in each Region: let "
        "everything that meters these products use this one."
    )


def _meters_usage() -> bool:
    if any(product.usage != UsageRules() for product in products.current().values()):
        return True
    return readiness.find_schema_problem() is None and backlog.has_usage()


def check_events_queue() -> str:
    """Return the events queue and its dead-letter queue."""
    queue = _load_queue(
        "EVENTS_QUEUE_URL is not set: no subscription becomes active by itself. Deploy deploy/template.yaml and set "
        "it to the stack's QueueUrl."
    )
    if queue.dead_letter_queue_arn is None:
        raise click.ClickException(
            f"{queue.arn} has no dead-letter queue, so a message that cannot be applied is received again and again "
            "until it is too old, then lost. Deploy deploy/template.yaml, or add a dead-letter queue."
        )
    dead_letter_queue = setup_checks.find_dead_letter_queue(queue.dead_letter_queue_arn)
    return f"{queue.arn}; events that cannot be applied go to {dead_letter_queue}"


def check_event_rules() -> str:
    """Return the EventBridge rules and SNS topics that send events to the queue."""
    queue = _load_queue("Not checked: EVENTS_QUEUE_URL is not set.")
    rules = setup_checks.list_event_rules(queue)
    topics = f"SNS topics of old listings: {', '.join(queue.topic_names)}." if queue.topic_names else ""
    if not rules and queue.is_sandbox:
        raise UserWarning(
            "The sandbox has no EventBridge rules: it puts its events into the queue itself. In your AWS account, "
            "deploy/template.yaml makes the rules."
        )
    if not rules and not topics:
        raise click.ClickException(
            f"No EventBridge rule in {queue.region} sends to the queue, and no SNS topic may. AWS Marketplace's events "
            "are sent only in us-east-1: deploy deploy/template.yaml there, in the account that published the product."
        )
    if not rules:
        return f"{topics} There is no rule: a listing since June 2026 needs the rule of deploy/template.yaml."
    if missing := _missing_events(queue, rules):
        raise click.ClickException(f"These events do not arrive: {', '.join(missing)}. {_suggest_fix(queue, rules)}")
    names = ", ".join(rule.name for rule in rules)
    return f"{names}: all {len(event_kinds.DETAIL_TYPES)} kinds of events. {topics}".rstrip()


def _load_queue(text_if_unset: str) -> EventsQueue:
    if (queue := setup_checks.get_events_queue()) is None:
        raise UserWarning(text_if_unset)
    return queue


def _missing_events(queue: EventsQueue, rules: list[EventRule]) -> list[str]:
    working = [rule for rule in rules if rule.is_enabled and queue.allows_rule(rule)]
    source, kinds = event_kinds.EVENTBRIDGE_SOURCE, event_kinds.DETAIL_TYPES
    return sorted(kind for kind in kinds if not any(rule.matches(source, kind) for rule in working))


def _suggest_fix(queue: EventsQueue, rules: list[EventRule]) -> str:
    command = f"aws events enable-rule --region {queue.region} --name"
    disabled_names = [rule.name for rule in rules if not rule.is_enabled]
    disabled = [f"The rule {name} is disabled: `{command} {name}`." for name in disabled_names]
    refused_arns = [rule.arn for rule in rules if not queue.allows_rule(rule)]
    refused = [f"The queue's policy does not let events.amazonaws.com send for {arn}." for arn in refused_arns]
    otherwise = "Otherwise deploy" if disabled or refused else "Deploy"
    return " ".join([*disabled, *refused, f"{otherwise} deploy/template.yaml, which has all of it."])
