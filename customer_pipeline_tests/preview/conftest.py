"""A pipeline without Dagster: a landing store, a cache and the steps, and how both look to the byte."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pytest

from customer_pipeline import preview
from customer_pipeline.cache.connection import connect
from customer_pipeline.cache.coverage import Coverage
from customer_pipeline.cache.keys import CacheKeys
from customer_pipeline.cache.publisher import Outcomes, Publisher
from customer_pipeline.customers import schemas
from customer_pipeline.landing.store import LandingStore
from customer_pipeline.provider.client import ProviderClient
from customer_pipeline.provider.profile import Profile
from customer_pipeline.settings import Settings
from customer_pipeline.steps import datasets, ingestion, normalization, publication
from customer_pipeline.windows import WINDOW_LENGTH, Window
from customer_pipeline_tests.cache.conftest import cluster_servers, valkey_cluster
from customer_pipeline_tests.servers import ValkeyServer

__all__ = ["cluster_servers", "valkey_cluster"]

FIRST = Window.from_key("2026-11-23T1400Z")
WINDOWS = [Window(FIRST.start + number * WINDOW_LENGTH, FIRST.end + number * WINDOW_LENGTH) for number in range(3)]
PROFILE = Profile.model_validate(
    {
        "name": "by-hand",
        "base_url": "http://127.0.0.1:9",
        "list": {"path": "/customers"},
        "pagination": {"style": "page_number"},
        "fields": {"id": "id", "updated_at": "at", "status": "status", "email": "email", "name": "name"},
        "deleted": {"path": "gone"},
    }
)


@dataclass
class House:
    """What a preview is about."""

    settings: Settings
    environ: Mapping[str, str] = field(default_factory=dict)

    @property
    def landing(self) -> LandingStore:
        return LandingStore(self.settings.landing_uri)

    def land(self, window: Window, records: Iterable[object], *, fetched: int = 0) -> None:
        """Land what the provider is made to have said; `fetched` in seconds after the window's end."""
        texts = [orjson.dumps(record).decode() for record in records]
        nothing = [None] * len(texts)
        columns = [
            pa.array(nothing, pa.string()),
            pa.array(nothing, schemas.INSTANT),
            pa.array([window.end + timedelta(seconds=fetched)] * len(texts), schemas.INSTANT),
            pa.array(texts, pa.string()),
        ]
        with self.landing.open_writer(datasets.RAW_CUSTOMERS, window, schemas.RAW) as writer:
            writer.write(pa.record_batch(columns, schema=schemas.RAW))

    def ingest(self, windows: Iterable[Window]) -> None:
        with ProviderClient(self.settings.profile, self.environ) as client:
            for window in windows:
                ingestion.ingest(window, client=client, landing=self.landing)

    def publish(self, windows: Iterable[Window]) -> list[Outcomes]:
        """Normalize and publish what was landed, as the runs do."""
        connection = connect(self.settings.redis_url)
        keys = CacheKeys(self.settings.prefix)
        publisher, coverage = Publisher(connection, keys=keys), Coverage(connection, keys=keys)
        outcomes = []
        for window in windows:
            normalization.normalize(window, profile=self.settings.profile, landing=self.landing)
            published = publication.publish(window, landing=self.landing, publisher=publisher, coverage=coverage)
            outcomes.append(published.outcomes)
        connection.close()
        return outcomes

    def preview(
        self, windows: list[Window], *, replay: bool = True, sample: int = 5, show_values: bool = False
    ) -> preview.Report:
        return preview.run(
            self.settings,
            windows,
            replay=replay,
            sample=sample,
            show_values=show_values,
            environ=self.environ,
            say=lambda _: None,
        )

    def documents(self) -> dict[str, dict[str, Any]]:
        """Return the documents by id, without their versions."""
        connection = connect(self.settings.redis_url)
        keys = [key for key in connection.scan_iter(match="customer:{*}", count=1000) if not key.endswith(b"tombstone")]
        documents = [orjson.loads(connection.get(key) or b"{}") for key in keys]
        connection.close()
        return {document["id"]: {**document, "version": None} for document in documents}

    def bytes(self) -> tuple[dict[bytes, bytes | None], dict[str, bytes]]:
        """Return every key as the cache dumps it, but the counts of requests, and every file of the landing store."""
        connection = connect(self.settings.redis_url)
        names = [key for key in connection.scan_iter(count=1000) if b"request_budget" not in key]
        keys = {key: connection.dump(key) for key in names}
        connection.close()
        folder = Path(self.settings.landing_uri.removeprefix("file://"))
        files = {str(path.relative_to(folder)): path for path in folder.rglob("*")}
        return keys, {name: path.read_bytes() if path.is_file() else b"" for name, path in files.items()}

    def with_profile(self, profile: Profile) -> "House":
        return House(replace(self.settings, profile=profile), self.environ)


def make_house(folder: Path, redis_url: str, *, profile: Profile = PROFILE, **environ: str) -> House:
    settings = Settings(
        profile=profile,
        secrets=environ,
        redis_url=redis_url,
        landing_uri=folder.as_uri(),
        start=FIRST.start,
        prefix="customer",
    )
    return House(settings, environ)


@pytest.fixture
def house(tmp_path: Path, valkey: ValkeyServer) -> House:
    return make_house(tmp_path, valkey.url)
