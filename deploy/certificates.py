"""The certificate of a domain whose DNS is not in Route 53: found in ACM, or requested, and waited for."""

import time
from dataclasses import dataclass
from typing import Any

import click

from deploy import console
from deploy.account import Account
from deploy.errors import WAITING_STATUS, DeployError

VALID = "ISSUED"
PENDING = "PENDING_VALIDATION"
REASONS = {
    "CAA_ERROR": 'The domain\'s CAA records do not allow Amazon. Add this one:\n  0 issue "amazon.com"',
    "DOMAIN_NOT_ALLOWED": "AWS holds the domain for unsafe. AWS Support can change that.",
    "ADDITIONAL_VERIFICATION_REQUIRED": "AWS wants to check the domain itself. Ask AWS Support.",
    "NO_AVAILABLE_CONTACTS": "The domain's record is missing.",
}


@dataclass(frozen=True)
class Wait:
    """Whether to wait for the certificate, for how long, and how many seconds are between two looks."""

    waits: bool
    minutes: float
    poll_seconds: float


def find_or_request(account: Account, domain: str, wait: Wait) -> str:
    """Return the ARN of an issued certificate for the domain; without one, request it and print its DNS record.

    Raises:
        DeployError: it is not issued yet, or cannot be.
    """
    acm = account.client("acm")
    found = _certificates(acm, domain)
    if issued := [made for made in found if made["Status"] == VALID]:
        return str(issued[0]["CertificateArn"])
    pending = [made["CertificateArn"] for made in found if made["Status"] == PENDING]
    # The same token within an hour gives the same certificate.
    token = "".join(character for character in domain if character.isalnum())[-32:]
    arn = (
        pending[0]
        if pending
        else acm.request_certificate(DomainName=domain, ValidationMethod="DNS", IdempotencyToken=token)[
            "CertificateArn"
        ]
    )
    made = _with_record(acm, arn, wait.poll_seconds)
    if made["Status"] == VALID:
        return str(arn)
    record = made["DomainValidationOptions"][0]["ResourceRecord"]
    text = f"  {record['Name']} {record['Type']} {record['Value']}"
    if not wait.waits:
        raise DeployError(
            f"{domain} has no certificate.",
            f"AWS issues it as soon as this record is in the domain's DNS:\n{text}",
            "Add the record, and run the same command again in a few minutes. With WAIT=1 the command waits for it. If "
            "the DNS is in a hosted zone of Route 53 in this account, ZONE=Z... makes all records.",
            status=WAITING_STATUS,
        )
    console.say(f"Add this record to the DNS of {domain}. Waiting for it, {wait.minutes:.0f} minutes at most.")
    click.echo(text)
    return _wait(acm, arn, text, wait)


def _certificates(acm: Any, domain: str) -> list[dict[str, Any]]:
    """Return the certificates that cover the domain, the newest first."""
    pages = acm.get_paginator("list_certificates").paginate(
        CertificateStatuses=[VALID, PENDING],
        Includes={"keyTypes": ["RSA_2048", "RSA_3072", "RSA_4096", "EC_prime256v1", "EC_secp384r1"]},
    )
    wildcard = f"*.{domain.partition('.')[2]}"
    listed = [
        made
        for page in pages
        for made in page["CertificateSummaryList"]
        if {domain, wildcard} & {made["DomainName"], *made.get("SubjectAlternativeNameSummaries", ())}
    ]
    described = [acm.describe_certificate(CertificateArn=made["CertificateArn"])["Certificate"] for made in listed]
    return sorted(described, key=_age_key, reverse=True)


def _age_key(made: dict[str, Any]) -> str:
    # A certificate that was imported has no time of request.
    return str(made.get("CreatedAt") or made.get("ImportedAt") or "")


def _with_record(acm: Any, arn: str, poll_seconds: float) -> dict[str, Any]:
    """Return the certificate when ACM has made the record that validates it, some seconds after the request."""
    while True:
        made: dict[str, Any] = acm.describe_certificate(CertificateArn=arn)["Certificate"]
        options = made.get("DomainValidationOptions", ())
        if made["Status"] != PENDING or (options and "ResourceRecord" in options[0]):
            _refuse_failed(made)
            return made
        time.sleep(poll_seconds)


def _wait(acm: Any, arn: str, record: str, wait: Wait) -> str:
    ends_at = time.monotonic() + wait.minutes * 60
    while True:
        made = acm.describe_certificate(CertificateArn=arn)["Certificate"]
        if made["Status"] == VALID:
            console.say("The certificate is issued.")
            return arn
        _refuse_failed(made)
        if time.monotonic() >= ends_at:
            raise DeployError(
                f"The certificate was not issued in {wait.minutes:.0f} minutes: AWS does not see its record.",
                f"Check that the domain's DNS has this record, without the domain's name twice:\n{record}",
                "Then run the same command again. CERTIFICATE_MINUTES=... waits longer.",
                status=WAITING_STATUS,
            )
        time.sleep(wait.poll_seconds)


def _refuse_failed(made: dict[str, Any]) -> None:
    if made["Status"] not in {VALID, PENDING}:
        reason = made.get("FailureReason", "")
        raise DeployError(
            f"AWS does not issue a certificate for {made['DomainName']}.",
            REASONS.get(reason, "Delete it in ACM, and run the same command again: a new one is requested."),
            aws_words=f"{made['Status']} {reason}".strip(),
        )
