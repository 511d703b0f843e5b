"""Reads the feed page by page."""

from collections.abc import Iterator
from uuid import UUID

from app.services.api import cursors, feed
from app.services.api.cursors import INITIAL, Cursor
from app.services.api.feed import Filters, Page

EVERYTHING = Filters()


def pages(after: Cursor = INITIAL, limit: int = 7, filters: Filters = EVERYTHING) -> Iterator[Page]:
    """Request page after page from the cursor to the end."""
    more = True
    while more:
        page = feed.page(filters, after, limit)
        yield page
        after, more = cursors.decode(page.cursor), page.more


def ids(*scanned: Page) -> list[UUID]:
    """Return the ids of the pages' subscriptions, in order."""
    return [item.subscription.id for page in scanned for item in page.items]


def end(scanned: list[Page]) -> Cursor:
    """Return the cursor to continue with."""
    return cursors.decode(scanned[-1].cursor)
