"""What every measurement starts from: the servers, and the same customers at each stage of the pipeline."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Self

import pyarrow as pa
import redis

from benchmarks.feast_environment import FeastUnavailableError, feast_python
from benchmarks.inputs import WINDOW, changed, raw_batches, sandbox_profile
from benchmarks.report import Report
from benchmarks.rig import keep_off, timed
from benchmarks.rival import Rival
from customer_pipeline.cache.codec import State, encode
from customer_pipeline.cache.connection import connect
from customer_pipeline.cache.keys import CacheKeys
from customer_pipeline.cache.publisher import Publisher
from customer_pipeline.customers import schemas
from customer_pipeline.customers.normalize import Normalizer
from customer_pipeline.landing.store import LandingStore
from customer_pipeline.steps.datasets import RAW_CUSTOMERS
from customer_pipeline_tests.servers import ServerProcess, ValkeyServer

AHEAD = timedelta(minutes=5)
_LANDED = 500  # the records of one page, as ingestion lands them


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """How much is measured, and how often."""

    speed: int = 20_000
    rounds: int = 5
    memory: tuple[int, int] = (10_000, 1_000_000)
    range: int = 9_600

    @classmethod
    def quick(cls) -> Self:
        """Return sizes that say whether everything works, and little about speed."""
        return cls(speed=4_000, rounds=3, memory=(10_000, 50_000), range=960)


class Bench:
    """One run: the report, a folder, and a Valkey on the other core. As a context manager it ends what it started."""

    def __init__(self, folder: Path, sizes: Sizes, report: Report) -> None:
        self.folder = folder
        self.sizes = sizes
        self.report = report
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def serve(self, server: ServerProcess) -> None:
        """Start a server off the pipeline's core, until the end of the run."""
        self._stack.enter_context(server)
        keep_off(server)

    @cached_property
    def valkey(self) -> ValkeyServer:
        """The cache's server."""
        server = ValkeyServer(self.folder / "valkey")
        self.serve(server)
        return server

    @cached_property
    def connection(self) -> redis.Redis:
        """A connection to the cache, as the pipeline makes it."""
        connection = connect(self.valkey.url)
        assert isinstance(connection, redis.Redis)
        self._stack.callback(connection.close)
        return connection

    def timed_write(self, call: Callable[[], object]) -> float:
        """Return the seconds of a call that writes every customer into an empty cache."""
        return self.checked_write(lambda: timed(call))

    def checked_write(self, measure: Callable[[], float]) -> float:
        """Empty the cache, measure, and refuse a time that was taken without the work.

        Raises:
            RuntimeError: if the server does not hold one key for each customer, those of all together apart.
        """
        self.connection.flushall()
        seconds = measure()
        keys = CacheKeys()
        indexes = (keys.by_updated_at, *keys.by_value)
        apart = self.connection.exists(*indexes, keys.changes, keys.indexed, keys.coverage, keys.freshness)
        found = self.connection.dbsize() - apart
        if found != self.sizes.speed:
            raise RuntimeError(f"{found} keys were written for {self.sizes.speed} customers")
        return seconds

    @cached_property
    def feast(self) -> Rival | None:
        """Feast with the same customers, or None, with a note in the report, where it can't be installed."""
        try:
            python = feast_python()
        except FeastUnavailableError as error:
            self.report.notes.append(f"Feast's rows are left out: {error}")
            return None
        customers = pa.concat_tables(self.customers)
        rival = Rival(customers, self.folder / "feast", python=python, port=self.valkey.port)
        return self._stack.enter_context(rival)

    @cached_property
    def publisher(self) -> Publisher:
        """The guarded publication, with its defaults."""
        return Publisher(self.connection)

    @cached_property
    def landing(self) -> LandingStore:
        """A landing store that holds the raw customers of the window."""
        store = LandingStore((self.folder / "landing").as_uri())
        with store.open_writer(RAW_CUSTOMERS, WINDOW, schemas.RAW) as writer:
            for batch in raw_batches(self.sizes.speed, size=_LANDED):
                writer.write(batch)
        return store

    @cached_property
    def raw(self) -> list[pa.RecordBatch]:
        """The raw customers, in the batches in which normalization reads them."""
        return list(self.landing.read(RAW_CUSTOMERS, WINDOW))

    @cached_property
    def customers(self) -> list[pa.Table]:
        """The same, normalized."""
        normalizer = Normalizer(sandbox_profile())
        return [normalizer(batch, ahead=AHEAD).customers for batch in self.raw]

    @cached_property
    def changed(self) -> list[State]:
        """The same, changed and encoded."""
        return [state for table in self.customers for state in encode(changed(table))]

    @cached_property
    def states(self) -> list[State]:
        """The same, encoded."""
        return [state for table in self.customers for state in encode(table)]
