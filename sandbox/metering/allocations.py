"""The rules of allocations, which split the usage of a record by tags.

Where AWS's documents differ (five tags in an allocation, in a record, or in all allocations), the narrowest holds.
"""

import re
from decimal import Decimal

from sandbox.aws_errors import InvalidTag, InvalidUsageAllocations
from sandbox.metering.requests import WireAllocation, WireRecord, WireTag

MAX_ALLOCATIONS = 2500
MAX_TAGS = 5
MAX_KEY_LENGTH = 100
MAX_VALUE_LENGTH = 256
TAG_TEXT = re.compile(r"[a-zA-Z0-9+ \-=._:/@]+", re.ASCII)


def check(record: WireRecord) -> None:
    """Check the allocations of a record, if it has some.

    Raises:
        InvalidTag: a tag is invalid, or there are too many.
        InvalidUsageAllocations: the parts are not of the record's kind, share their tags, or have another sum.
    """
    parts = record.UsageAllocations
    if parts is None:
        return
    if not 1 <= len(parts) <= MAX_ALLOCATIONS:
        raise InvalidUsageAllocations(f"A record has 1 to {MAX_ALLOCATIONS} allocations, not {len(parts)}")
    tag_sets = [_check_tags(part) for part in parts]
    if len(set(tag_sets)) < len(tag_sets):
        raise InvalidUsageAllocations("Each allocation must have a unique set of tags")
    if len(keys := {key for tags in tag_sets for key, _ in tags}) > MAX_TAGS:
        raise InvalidTag(f"The number of tags is greater than {MAX_TAGS}: {', '.join(sorted(keys)[:10])}")
    total = sum((_quantity(part, is_decimal=record.QuantityAsDecimal is not None) for part in parts), Decimal())
    if total != record.quantity:
        raise InvalidUsageAllocations(f"The sum of the allocations is {total}, and the quantity {record.quantity}")


def _check_tags(part: WireAllocation) -> frozenset[tuple[str, str | None]]:
    tags = part.Tags
    if tags is None:
        return frozenset()
    if not 1 <= len(tags) <= MAX_TAGS or len({tag.Key for tag in tags}) < len(tags):
        raise InvalidTag(f"An allocation has 1 to {MAX_TAGS} tags with different keys")
    for tag in tags:
        if not _is_valid(tag):
            raise InvalidTag(f"The tag is invalid: {tag.Key}={tag.Value}")
    return frozenset((tag.Key, tag.Value) for tag in tags)


def _is_valid(tag: WireTag) -> bool:
    return all(
        text is not None and len(text) <= limit and TAG_TEXT.fullmatch(text) is not None
        for text, limit in ((tag.Key, MAX_KEY_LENGTH), (tag.Value, MAX_VALUE_LENGTH))
    )


def _quantity(part: WireAllocation, *, is_decimal: bool) -> Decimal:
    quantities = {True: part.AllocatedUsageQuantityAsDecimal, False: part.AllocatedUsageQuantity}
    if quantities[is_decimal] is None or quantities[not is_decimal] is not None:
        raise InvalidUsageAllocations("Allocations must use the same type of quantity as the usage record")
    return Decimal(quantities[is_decimal] or 0)
