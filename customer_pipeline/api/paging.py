"""Pages of customers in the order of their last change."""

from datetime import datetime
from typing import NamedTuple

from customer_pipeline.api import cursors
from customer_pipeline.api.reading import Cache, Document
from customer_pipeline.timestamps import epoch_milliseconds, format_instant


class Page(NamedTuple):
    """Customers, and where the next page begins; None on the last one."""

    documents: list[Document]
    cursor: str | None


async def page(cache: Cache, *, since: datetime | None, after: tuple[int, bytes] | None, limit: int) -> Page:
    """Return the next customers after a position, of those who changed at `since` or later.

    Whoever changes meanwhile moves to the end, and is met again there. Whose document is gone is left out, so that a
    page may have fewer customers than it could.

    Raises:
        CacheError: if the cache cannot be asked.
    """
    from_ms = epoch_milliseconds(since) if since else None
    entries = await cache.ids_after(after, from_ms=from_ms, limit=limit)
    found = await cache.customers([name for member, _ in entries if (name := _text(member))])
    # The index knows milliseconds, a document microseconds.
    least = format_instant(since) if since else ""
    documents = [each.document for each in found if each.document and each.document.updated_at >= least]
    is_last = len(entries) < limit
    member, score = entries[-1] if entries else (b"", 0)
    return Page(documents, None if is_last else cursors.dump(score, member))


def _text(member: bytes) -> str:
    """Return an id; nothing for what something else has put into the index."""
    try:
        return member.decode()
    except UnicodeDecodeError:
        return ""
