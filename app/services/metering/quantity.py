"""Quantities of usage: exact, as whole numbers of millionths of a millionth of a unit ("picos").

AWS takes six decimals, products may report twelve. The databases store millionths and the rest in two columns, because
no column of theirs is exact for both, and one of picos would overflow:

    "1.5000004"  ->  1_500_000_400_000 picos  ->  1_500_000 micros and 400_000 picos
"""

import re

PICOS_PER_MICRO = 10**6
PICOS_PER_UNIT = 10**12
# https://docs.aws.amazon.com/marketplace/latest/APIReference/API_marketplace-metering_UsageRecord.html: ten digits.
MAX_PICOS = 10**10 * PICOS_PER_UNIT - 1
PATTERN = re.compile(r"(0|[1-9][0-9]{0,9})(?:\.([0-9]{1,12}))?", re.ASCII)


def parse(text: str) -> int:
    """Return the picos; ValueError where the text is no plain decimal number, or has too many digits."""
    match = PATTERN.fullmatch(text)
    if match is None:
        raise ValueError(text)
    whole, decimals = match.groups("")
    return int(whole) * PICOS_PER_UNIT + int(decimals.ljust(12, "0"))


def split(picos: int) -> tuple[int, int]:
    """Return the micros, and the picos that are left."""
    return divmod(picos, PICOS_PER_MICRO)


def join(micros: int, picos: int) -> int:
    """Return the picos of two columns."""
    return micros * PICOS_PER_MICRO + picos


def to_text(picos: int) -> str:
    """Return the plain decimal number, without needless zeros."""
    whole, rest = divmod(picos, PICOS_PER_UNIT)
    return f"{whole}.{rest:012d}".rstrip("0").rstrip(".")


def micros_to_text(micros: int) -> str:
    """Return the plain decimal number of millionths, as BatchMeterUsage takes it."""
    return to_text(join(micros, 0))
