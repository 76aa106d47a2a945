"""What differs between two deployments of the API, read from the environment."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Self

from customer_pipeline.dev.home import Home
from customer_pipeline.settings import DEFAULT_PREFIX, Reader, SettingsError, redacted
from customer_pipeline.variables import (
    API_CORS_ORIGINS,
    API_KEYS_FILE,
    API_REQUESTS_PER_MINUTE,
    API_STALE_AFTER,
    API_STREAMS,
    PREFIX,
    REDIS_URL,
)

REQUESTS_PER_MINUTE = 6000
STREAMS = 1000
STALE_AFTER = timedelta(minutes=25)


@dataclass(frozen=True, kw_only=True, slots=True, repr=False)
class ApiSettings:
    """Everything the API is told.

    Attributes:
        redis_url: the cache.
        prefix: what the cache's keys start with.
        keys_file: where the keys of those who may read are kept.
        requests_per_minute: how many requests one key may make.
        streams: how many streams of changes one key may have open.
        stale_after: how old `as_of` may be before an answer says that the cache is stale.
        cors_origins: the pages that browsers let read answers.
    """

    redis_url: str
    keys_file: Path
    prefix: str = DEFAULT_PREFIX
    requests_per_minute: int = REQUESTS_PER_MINUTE
    streams: int = STREAMS
    stale_after: timedelta = STALE_AFTER
    cors_origins: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"ApiSettings(redis_url={redacted(self.redis_url)!r}, keys_file={str(self.keys_file)!r})"

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Self:
        """Read every variable. An empty one counts as missing.

        Raises:
            SettingsError: naming each variable that is missing or malformed.
        """
        reader = Reader(environ)
        redis_url = reader.required(REDIS_URL)
        prefix = reader.optional(PREFIX) or DEFAULT_PREFIX
        requests = reader.optional(API_REQUESTS_PER_MINUTE) or REQUESTS_PER_MINUTE
        streams = reader.optional(API_STREAMS) or STREAMS
        stale_after = reader.optional(API_STALE_AFTER) or STALE_AFTER
        origins = reader.optional(API_CORS_ORIGINS) or ()
        file = reader.optional(API_KEYS_FILE)
        if reader.problems or redis_url is None:
            raise SettingsError(reader.problems)
        return cls(
            redis_url=redis_url,
            keys_file=file or Home.from_environment(environ).api_keys,
            prefix=prefix,
            requests_per_minute=requests,
            streams=streams,
            stale_after=stale_after,
            cors_origins=origins,
        )


def keys_file(environ: Mapping[str, str]) -> Path:
    """Return the file of the keys: the one that is named, or that in the stack's home.

    Raises:
        SettingsError: if `API_KEYS_FILE` is malformed.
    """
    reader = Reader(environ)
    file = reader.optional(API_KEYS_FILE)
    if reader.problems:
        raise SettingsError(reader.problems)
    return file or Home.from_environment(environ).api_keys
