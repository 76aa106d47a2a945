"""Resources: configuration and lifetime of the libraries' objects, nothing else."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta

import dagster as dg
from pydantic import Field

from customer_pipeline.cache.changes import DEFAULT_CHANGES_KEPT
from customer_pipeline.cache.connection import Connection, connect
from customer_pipeline.cache.coverage import Coverage
from customer_pipeline.cache.keys import CacheKeys
from customer_pipeline.cache.loads import Loads
from customer_pipeline.cache.publisher import Publisher
from customer_pipeline.defs.partitions import settings
from customer_pipeline.landing.store import LandingStore
from customer_pipeline.provider.client import ProviderClient
from customer_pipeline.provider.fingerprint import fingerprint
from customer_pipeline.provider.profile import Profile, load_profile
from customer_pipeline.reconciliation.comparison import Comparison
from customer_pipeline.request_budget.budget import open_budget
from customer_pipeline.snapshot.completion import CacheLoader
from customer_pipeline.snapshot.loading import Progress
from customer_pipeline.variables import LANDING_URI, REDIS_URL

# Besides the profile: who corrects one of these may have mended what failed.
CONFIGURING = (LANDING_URI.name, REDIS_URL.name)


class CacheResource(dg.ConfigurableResource[Publisher]):
    """The Redis cache that the frontend reads; its documents hold datetimes in one form only."""

    url: str = Field(description="URL of the Redis server or cluster.", json_schema_extra={"dagster__is_secret": True})
    prefix: str = Field(default="customer", description="What the cache's keys start with.")
    changes_kept: int = Field(
        default=DEFAULT_CHANGES_KEPT, description="Of how many changes the stream tells, about; older ones are dropped."
    )

    @contextmanager
    def writer(self) -> Iterator[tuple[Publisher, Coverage]]:
        """Open one connection for one step."""
        connection = connect(self.url)
        try:
            keys = CacheKeys(self.prefix)
            yield self._publisher(connection), Coverage(connection, keys=keys, start=settings.start)
        finally:
            connection.close()

    @contextmanager
    def connection(self) -> Iterator[tuple[Connection, CacheKeys]]:
        """Open one connection for what is neither publication nor coverage."""
        connection = connect(self.url)
        try:
            yield connection, CacheKeys(self.prefix)
        finally:
            connection.close()

    @contextmanager
    def reader(self) -> Iterator[tuple[Coverage, Loads]]:
        """Open one connection for one evaluation of a sensor, which has a minute for all that it does."""
        connection = connect(self.url, connect_timeout=timedelta(seconds=2), answer_timeout=timedelta(seconds=5))
        try:
            keys = CacheKeys(self.prefix)
            yield Coverage(connection, keys=keys, start=settings.start), Loads(connection, keys=keys)
        finally:
            connection.close()

    @contextmanager
    def loader(self, landing: LandingStore, *, said: Callable[[Progress], object]) -> Iterator[CacheLoader]:
        """Open one connection for one load; `said` is told how far it has come."""
        connection = connect(self.url)
        try:
            keys = CacheKeys(self.prefix)
            yield CacheLoader(
                landing=landing,
                publisher=self._publisher(connection),
                coverage=Coverage(connection, keys=keys, start=settings.start),
                loads=Loads(connection, keys=keys),
                start=settings.start,
                said=said,
            )
        finally:
            connection.close()

    @contextmanager
    def comparison(self, *, due: datetime, check_only: bool) -> Iterator[Comparison]:
        """Open one connection for one reconciliation.

        Args:
            due: what changed before should be in the cache.
            check_only: whether nothing is published.
        """
        connection = connect(self.url)
        try:
            keys = CacheKeys(self.prefix)
            publisher = None if check_only else self._publisher(connection)
            yield Comparison(connection, keys=keys, publisher=publisher, due=due)
        finally:
            connection.close()

    def _publisher(self, connection: Connection) -> Publisher:
        return Publisher(connection, keys=CacheKeys(self.prefix), changes_kept=self.changes_kept)


class ProviderResource(dg.ConfigurableResource[ProviderClient]):
    """The provider's HTTP API. The secrets that the profile names are read from the environment of the run."""

    profile: str = Field(description="Path of a profile, or the name of a shipped one.")
    cache_url: str = Field(
        description="URL of the cache, where requests are counted over all runs if the profile names limits.",
        json_schema_extra={"dagster__is_secret": True},
    )
    cache_prefix: str = Field(default="customer", description="What the cache's keys start with.")

    def load(self) -> Profile:
        """Return the profile as it is in the file now."""
        return load_profile(self.profile)

    def fingerprint(self) -> str:
        """Return the fingerprint of the configuration as it is now; it never raises and lets nobody guess a secret."""
        return fingerprint(self.profile, os.environ, variables=CONFIGURING)

    @contextmanager
    def clients(self, *, most: int, background: bool) -> Iterator[Sequence[ProviderClient]]:
        """Open the clients of one step, as many as may ask at the same time.

        Args:
            most: how many can be used.
            background: whether live runs go first where the profile's limits are reached.
        """
        profile = self.load()
        with (
            open_budget(profile, url=self.cache_url, prefix=self.cache_prefix, background=background) as permits,
            ExitStack() as stack,
        ):
            count = min(most, profile.limits.at_once(background=background))
            clients = [ProviderClient(profile, os.environ, permits=permits) for _ in range(count)]
            yield [stack.enter_context(client) for client in clients]


class LandingResource(dg.ConfigurableResource[LandingStore]):
    """The landing store."""

    uri: str = Field(description="file:// or s3:// URI of a folder.")

    def store(self) -> LandingStore:
        """Return the store."""
        return LandingStore(self.uri)
