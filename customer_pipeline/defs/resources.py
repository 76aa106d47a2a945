"""Resources: configuration and lifetime of the libraries' objects, nothing else."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg
from pydantic import Field

from customer_pipeline.cache.connection import connect
from customer_pipeline.cache.coverage import Coverage
from customer_pipeline.cache.keys import CacheKeys
from customer_pipeline.cache.publisher import Publisher
from customer_pipeline.defs.partitions import settings
from customer_pipeline.landing.store import LandingStore
from customer_pipeline.provider.client import ProviderClient
from customer_pipeline.provider.fingerprint import fingerprint
from customer_pipeline.provider.profile import Profile, load_profile
from customer_pipeline.variables import LANDING_URI, REDIS_URL

# Who corrects one of these has mended the pipeline as well as who corrects the profile.
_NAMES_OF_THE_STORES = (LANDING_URI.name, REDIS_URL.name)


class ProviderResource(dg.ConfigurableResource[ProviderClient]):
    """The provider's HTTP API. The secrets that the profile names are read from the environment of the run."""

    profile: str = Field(description="Path of a profile, or the name of a shipped one.")

    def load(self) -> Profile:
        """Return the profile as it is in the file now."""
        return load_profile(self.profile)

    def fingerprint(self) -> str:
        """Return the fingerprint of the configuration as it is now; it never raises and lets nobody guess a secret."""
        return fingerprint(self.profile, os.environ, variables=_NAMES_OF_THE_STORES)

    @contextmanager
    def client(self) -> Iterator[ProviderClient]:
        """Open one client for one step."""
        with ProviderClient(self.load(), os.environ) as client:
            yield client


class LandingResource(dg.ConfigurableResource[LandingStore]):
    """The landing store."""

    uri: str = Field(description="file:// or s3:// URI of a folder.")

    def store(self) -> LandingStore:
        """Return the store."""
        return LandingStore(self.uri)


class CacheResource(dg.ConfigurableResource[Publisher]):
    """The Redis cache that the frontend reads; its documents hold datetimes in one form only."""

    url: str = Field(description="URL of the Redis server or cluster.", json_schema_extra={"dagster__is_secret": True})
    prefix: str = Field(default="customer", description="What the cache's keys start with.")

    @contextmanager
    def writer(self) -> Iterator[tuple[Publisher, Coverage]]:
        """Open one connection for one step."""
        connection = connect(self.url)
        try:
            keys = CacheKeys(self.prefix)
            yield Publisher(connection, keys=keys), Coverage(connection, keys=keys, start=settings.start)
        finally:
            connection.close()
