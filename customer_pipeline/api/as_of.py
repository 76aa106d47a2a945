"""How far the cache is true, known to every answer: read in the background once a second."""

import asyncio
import logging
from datetime import timedelta

from customer_pipeline.api.answers import Header
from customer_pipeline.api.reading import Cache
from customer_pipeline.cache.errors import told
from customer_pipeline.cache.freshness import Freshness
from customer_pipeline.timestamps import format_instant, now

_LOG = logging.getLogger(__name__)
_EVERY_SECONDS = 1.0
_STALE: Header = (b"customers-stale", b"true")


class AsOf:
    """The newest freshness that is known.

    Attributes:
        freshness: what was read last; None when nothing was published or read yet.
        headers: what every answer gets.
    """

    def __init__(self, cache: Cache, *, stale_after: timedelta) -> None:
        self._cache = cache
        self._stale_after = stale_after
        self._answers = True
        self.freshness: Freshness | None = None
        self.headers: list[Header] = [_STALE]

    async def keep(self) -> None:
        """Read again and again; while the cache does not answer, what is known ages."""
        while True:
            try:
                self.freshness = await self._cache.freshness()
                self._answers = True
            except Exception as error:  # noqa: BLE001 -- whatever answers instead of a cache, one day a cache does
                if self._answers:
                    _LOG.warning("the cache cannot be asked: %s", told(error))
                self._answers = False
            self.headers = self._headers()
            await asyncio.sleep(_EVERY_SECONDS)

    def is_stale(self, freshness: Freshness | None) -> bool:
        """Return whether the cache is true only up to an instant that lies too far back."""
        return freshness is None or now() - freshness.as_of > self._stale_after

    def _headers(self) -> list[Header]:
        stale = [_STALE] if self.is_stale(self.freshness) else []
        if self.freshness is None:
            return stale
        return [(b"customers-as-of", format_instant(self.freshness.as_of).encode()), *stale]
