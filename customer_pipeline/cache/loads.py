"""What is known of the full load of this cache. It lies in the cache itself: whoever loses the cache loses it too."""

import secrets
from datetime import datetime
from typing import Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, ValidationError

from customer_pipeline.cache.connection import Connection
from customer_pipeline.cache.coverage import REPLACE
from customer_pipeline.cache.errors import CacheError, CacheUnavailable
from customer_pipeline.cache.exchange import exchange
from customer_pipeline.cache.keys import CacheKeys
from customer_pipeline.timestamps import format_instant, now, parse_instant

Source: TypeAlias = Literal["provider", "landing"]

_ATTEMPTS = 100


class Load(BaseModel):
    """The state of the full load.

    Attributes:
        as_of: every customer's state until then is in the cache; None while no load has finished.
        finished_at: when the newest load finished.
        source: where it came from.
        replayed_at: when everything that was landed was published last, whole or not.
        under_way: the token of a load that has begun and not finished.
    """

    as_of: str | None = None
    finished_at: str | None = None
    source: Source | None = None
    replayed_at: str | None = None
    under_way: str | None = None

    model_config = ConfigDict(frozen=True, extra="ignore")

    @property
    def complete_until(self) -> datetime | None:
        """`as_of` as an instant."""
        return parse_instant(self.as_of) if self.as_of else None

    @property
    def loaded_at(self) -> datetime | None:
        """When everything came from the provider last, if it did."""
        return parse_instant(self.finished_at) if self.finished_at and self.source == "provider" else None


class Loads:
    """Reads and writes the state of the full load, atomically."""

    def __init__(self, connection: Connection, *, keys: CacheKeys) -> None:
        self._connection = connection
        self._key = keys.snapshot

    def read(self) -> Load:
        """Return what is known; nothing of a cache that is new, or was lost.

        Raises:
            CacheError: if the key holds something else.
        """
        return self._parsed(self._text())

    def begin(self) -> str:
        """Note that a load begins; return its token."""
        token = secrets.token_hex(8)
        self._change({"under_way": token})
        return token

    def lasts(self, token: str) -> bool:
        """Return whether the cache still is the one in which the load began."""
        return self.read().under_way == token

    def finish(self, token: str, *, as_of: datetime | None, source: Source) -> bool:
        """Note that a load has finished, if the cache still is the one in which it began; return whether it is.

        Args:
            token: from `begin`.
            as_of: until when everything is in the cache; None where that is not known.
            source: where the customers came from.
        """
        at = format_instant(now())
        changes: dict[str, str | None] = {"under_way": None}
        if as_of:
            changes |= {"as_of": format_instant(as_of), "finished_at": at, "source": source}
        if source == "landing":
            changes["replayed_at"] = at
        return self._change(changes, only_of=token)

    def _change(self, changes: dict[str, str | None], *, only_of: str | None = None) -> bool:
        for _ in range(_ATTEMPTS):
            text = self._text()
            load = self._parsed(text)
            if only_of and load.under_way != only_of:
                return False
            changed = load.model_copy(update=changes).model_dump_json().encode()
            (replaced,) = REPLACE.run(self._connection, [(1, self._key, text, changed)])
            if replaced:
                return True
        raise CacheUnavailable(
            f"{self._key} is being changed without end",
            advice="Look for a second pipeline that publishes under the same prefix.",
        )

    def _text(self) -> bytes:
        (value,) = exchange(self._connection, [("GET", self._key)])
        return value or b""

    def _parsed(self, text: bytes) -> Load:
        try:
            return Load.model_validate_json(text) if text else Load()
        except ValidationError:
            raise CacheError(
                f"{self._key} holds something that this pipeline did not write",
                advice="Look who writes there; once the key is deleted, the cache is loaded again.",
            ) from None
