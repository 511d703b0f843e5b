"""Rate limits on landings by client address: generous, as offices share one; tight where tokens keep failing."""

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv6Address

from flask import request

from app.aws import resolve_customer
from app.errors import (
    ExpiredToken,
    InvalidToken,
    MarketplaceUnavailable,
    Throttled,
    TooManyLandings,
    UnknownProduct,
)
from app.security import rate_counters


@dataclass(frozen=True)
class Limit:
    """A maximum count per fixed window and network. `name` is part of the counter's key and in the log.

    A request counts from its beginning. Of those that have not ended, `max_under_way` is the maximum in this process.
    """

    name: str
    max_count: int
    window_seconds: int = 60
    max_under_way: int = 24


# Counts every landing except a buyer's first with a good token: only a machine makes this many from one office.
LANDINGS = Limit("landings", 600)
# AWS documents no quota for ResolveCustomer, and all buyers of a seller share it. A person whose token fails starts
# again from AWS Marketplace; thirty failed tokens within a minute are guesses.
REFUSALS = Limit("refusals", 30)
# An attacker with one /64 often has the whole /48 of 65,536; an office rarely shares a /48 with strangers.
REFUSALS_WIDE = Limit("refusals-nearby", 120, max_under_way=40)

# While AWS is down no token can be checked: without this, one address could use up the space for pending tokens.
PENDING_TOKENS = Limit("parked", 300, window_seconds=3600)
PENDING_TOKENS_WIDE = Limit("parked-nearby", 1200, window_seconds=3600)


@contextmanager
def check_and_record(token: str) -> Iterator[None]:
    """Check the limits and do the landing in the `with` block, which counts from its beginning.

    A buyer's first landing with a good token counts no longer when it ends. A landing counts as refused if AWS refused
    the token, or did not answer although it is not down. A refusal from the cache costs no call and does not count.

    Raises:
        TooManyLandings: the address has used up a limit until the window ends.
    """
    landings, refusals = _limits_by_key(LANDINGS), _limits_by_key(REFUSALS, REFUSALS_WIDE)
    was_cached = resolve_customer.is_cached(token)
    limits = landings if was_cached else landings | refusals
    with rate_counters.current().hold(limits):
        _check(limits)
        is_good = False
        try:
            yield
            # A pending token is not in the cache.
            is_good = resolve_customer.is_cached(token)
            if not (is_good or resolve_customer.is_aws_down()):
                _record(refusals)
        except (InvalidToken, ExpiredToken, UnknownProduct, Throttled, MarketplaceUnavailable) as error:
            if not (was_cached or error.from_cache or _is_outage(error)):
                _record(refusals)
            raise
        finally:
            if was_cached or not is_good:
                _record(landings)


def may_store_pending() -> bool:
    """Return whether the address may store one more pending token."""
    limits = _limits_by_key(PENDING_TOKENS, PENDING_TOKENS_WIDE)
    return all(rate_counters.current().get(key) < limit.max_count for key, limit in limits.items())


def record_pending() -> None:
    """Count a newly stored pending token against the limits of the client's networks."""
    _record(_limits_by_key(PENDING_TOKENS, PENDING_TOKENS_WIDE))


def client_networks(address: str) -> tuple[str, str | None]:
    """Return the network to count by, and for IPv6 the wider network of the same owner: a /64 and a /48.

    An IPv4 address counts alone, also when written as IPv6. Some load balancers append the port.
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


def _limits_by_key(narrow: Limit, wide: Limit | None = None) -> dict[str, Limit]:
    """Return the limits that count for the client's address, by the key of the counter."""
    network, wide_network = client_networks(request.remote_addr or "")
    limits = {f"{narrow.name}/{network}": narrow}
    return limits | {f"{wide.name}/{wide_network}": wide} if wide and wide_network else limits


def _is_outage(error: Exception) -> bool:
    return isinstance(error, MarketplaceUnavailable) and resolve_customer.is_aws_down()


def _check(limits: Mapping[str, Limit]) -> None:
    """Check the counts; those under way include this landing."""
    counts = rate_counters.current()
    for key, limit in limits.items():
        under_way = counts.under_way(key)
        if under_way > limit.max_under_way or counts.get(key) + under_way > limit.max_count:
            raise TooManyLandings(limit.name, math.ceil(counts.seconds_until_reset(key)) or 1)


def _record(limits: Mapping[str, Limit]) -> None:
    for key, limit in limits.items():
        rate_counters.current().increment(key, limit.window_seconds)
