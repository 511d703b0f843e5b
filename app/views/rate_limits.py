"""How many landings an address may make: generous, because offices share one, and tight where tokens keep failing."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv6Address

from flask import request

from app.aws import resolve_customer
from app.errors import ExpiredToken, InvalidToken, TooManyLandings, UnknownProduct
from app.security import rate_counters


@dataclass(frozen=True)
class Limit:
    """So many a window, counted by address."""

    name: str
    max_count: int
    window_seconds: int = 60


# Landings that are no buyer's first with a good token: even a large office makes that many only by a machine.
LANDINGS = Limit("landings", 600)
# AWS documents no quota for ResolveCustomer, and a seller has one for all buyers. A person whose token fails starts
# again from AWS Marketplace; thirty tokens that failed within a minute are guessed.
REFUSALS = Limit("refusals", 30)
# Who has a /64 for the asking often has a /48 of 65,536 of them; an office rarely shares one with strangers.
REFUSALS_WIDE = Limit("refusals-nearby", 120)

# While AWS is down no token can be judged: this keeps one address from filling the parking places of all.
PENDING_TOKENS = Limit("parked", 300, window_seconds=3600)
PENDING_TOKENS_WIDE = Limit("parked-nearby", 1200, window_seconds=3600)

TOKEN_ERRORS = (InvalidToken, ExpiredToken, UnknownProduct)


@contextmanager
def check_and_record(token: str) -> Iterator[None]:
    """Refuse the landing within where its address has used up a limit; else count how it came out.

    A buyer's first landing with a good token is not counted, nor is a refusal that cost AWS nothing.

    Raises:
        TooManyLandings: the address may come again when the window is over.
    """
    refusals = _limits_by_network(REFUSALS, REFUSALS_WIDE)
    landings = LANDINGS, refusals[0][1]
    remembered = resolve_customer.is_cached(token)
    _check(landings, *([] if remembered else refusals))
    first_and_good = False
    try:
        yield
        # What was parked is neither.
        first_and_good = not remembered and resolve_customer.is_cached(token)
    except TOKEN_ERRORS as error:
        if not (remembered or error.from_cache):
            _record(*refusals)
        raise
    finally:
        if not first_and_good:
            _record(landings)


def may_store_pending() -> bool:
    """Return whether the address may have one more token parked."""
    counts = rate_counters.current()
    parked = _limits_by_network(PENDING_TOKENS, PENDING_TOKENS_WIDE)
    return all(counts.get(_counter_key(limit, network)) < limit.max_count for limit, network in parked)


def record_pending() -> None:
    """Count a token that was parked."""
    _record(*_limits_by_network(PENDING_TOKENS, PENDING_TOKENS_WIDE))


def client_networks(address: str) -> tuple[str, str | None]:
    """Return the network that counts as one address, and the wider one that it may have been chosen from.

    An IPv4 address counts alone, also when written as IPv6. A load balancer can be set to add the port.
    """
    if address.count(":") < 2:
        return address.partition(":")[0], None
    try:
        ip = IPv6Address(address.removeprefix("[").partition("]")[0].partition("%")[0])
    except AddressValueError:
        return address, None
    if ip.ipv4_mapped:
        return str(ip.ipv4_mapped), None
    return f"{int(ip) >> 64:x}/64", f"{int(ip) >> 80:x}/48"


def _limits_by_network(narrow: Limit, wide: Limit) -> list[tuple[Limit, str]]:
    network, nearby = client_networks(request.remote_addr or "")
    return [(narrow, network), *([(wide, nearby)] if nearby else [])]


def _check(*limits: tuple[Limit, str]) -> None:
    counts = rate_counters.current()
    for limit, network in limits:
        key = _counter_key(limit, network)
        if counts.get(key) >= limit.max_count:
            raise TooManyLandings(limit.name, math.ceil(counts.seconds_until_reset(key)) or 1)


def _record(*limits: tuple[Limit, str]) -> None:
    for limit, network in limits:
        rate_counters.current().increment(_counter_key(limit, network), limit.window_seconds)


def _counter_key(limit: Limit, network: str) -> str:
    return f"{limit.name}/{network}"
