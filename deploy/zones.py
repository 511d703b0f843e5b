"""The domain's hosted zone in Route 53: whether it exists, has the domain, and is what the internet asks."""

import os
from typing import Any

import dns.exception
import dns.resolver
from botocore.exceptions import ClientError

from deploy import console
from deploy.account import Account
from deploy.errors import DeployError

TIMEOUT_SECONDS = 5.0


def check(account: Account, zone_id: str, domain: str) -> None:
    """Check that the stack's records for the domain will be found in this zone.

    Raises:
        DeployError: they will not, so that the certificate would never be validated.
    """
    try:
        answer = account.client("route53").get_hosted_zone(Id=zone_id)
    except ClientError as error:
        if error.response["Error"]["Code"] not in {"NoSuchHostedZone", "InvalidInput"}:
            raise
        raise DeployError(
            f"This account has no hosted zone {zone_id}.", *_suggestions(account, domain), *_without_zone()
        ) from None
    zone = answer["HostedZone"]
    name = zone["Name"].rstrip(".").lower()
    if zone["Config"].get("PrivateZone"):
        raise DeployError(
            f"The zone {zone_id} ({name}) is private: buyers do not see it.",
            *_suggestions(account, domain),
            *_without_zone(),
        )
    if domain != name and not domain.endswith(f".{name}"):
        raise DeployError(
            f"{domain} is not in the zone {zone_id}, which is of {name}.",
            *_suggestions(account, domain),
            *_without_zone(),
        )
    _check_delegation(name, {server.rstrip(".").lower() for server in answer["DelegationSet"]["NameServers"]}, zone_id)


def nameservers(name: str) -> set[str] | None:
    """Return who answers for a name in the public DNS; None if that cannot be found out here."""
    resolver = dns.resolver.Resolver(configure="DEPLOY_DNS_SERVER" not in os.environ)
    if address := os.environ.get("DEPLOY_DNS_SERVER"):
        host, _, port = address.rpartition(":")
        resolver.nameservers, resolver.port = [host], int(port)
    resolver.lifetime = TIMEOUT_SECONDS
    try:
        return {str(answer.target).rstrip(".").lower() for answer in resolver.resolve(f"{name}.", "NS")}
    except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
        return set()
    except (dns.exception.DNSException, OSError):
        return None


def _check_delegation(name: str, of_zone: set[str], zone_id: str) -> None:
    asked = nameservers(name)
    if asked is None:
        console.warn(
            f"It could not be looked up who answers for {name}. If it is not the zone {zone_id}, the certificate is "
            "never validated, and the deployment stops after a while."
        )
    elif not asked & of_zone:
        others = f"{name} is answered by {console.listed(sorted(asked))}" if asked else f"Nobody answers for {name}"
        records = "\n".join(f"  {name}. NS {server}." for server in sorted(of_zone))
        raise DeployError(
            f"The internet does not ask the zone {zone_id}: {others}. The certificate would never be validated.",
            f"Let the registrar of {name} name this zone's servers, or the parent zone delegate to them:\n{records}",
            *_without_zone(),
        )


def _suggestions(account: Account, domain: str) -> list[str]:
    found: list[dict[str, Any]] = [
        zone
        for page in account.client("route53").get_paginator("list_hosted_zones").paginate()
        for zone in page["HostedZones"]
        if not zone["Config"].get("PrivateZone") and f".{domain}".endswith(f".{zone['Name'].rstrip('.')}")
    ]
    if not found:
        return []
    zone = max(found, key=lambda item: len(item["Name"]))
    return [f"The zone of {zone['Name'].rstrip('.')} is ZONE={zone['Id'].rpartition('/')[2]}."]


def _without_zone() -> list[str]:
    return ["If the domain's DNS is somewhere else, leave out ZONE: you get the records to add there."]
