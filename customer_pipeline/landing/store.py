"""The landing store: Parquet files, one per dataset and window. (First version, to be completed.)"""

import json
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq

from customer_pipeline.landing.errors import NotLanded
from customer_pipeline.windows import Window

_FACTS = b"customer_pipeline"


@dataclass(frozen=True)
class LandedWindow:
    uri: str
    rows: int
    bytes: int
    facts: dict[str, Any]


@dataclass
class LandingWriter:
    _writer: Any
    rows: int = 0
    facts: dict[str, Any] = field(default_factory=dict)

    def write(self, batch: Any) -> None:
        self.rows += batch.num_rows
        self._writer.write_table(batch if isinstance(batch, pa.Table) else pa.Table.from_batches([batch]))


class LandingStore:
    def __init__(self, uri: str) -> None:
        self.uri = uri.rstrip("/")

    def _fs(self) -> tuple[Any, str]:
        return pafs.FileSystem.from_uri(self.uri)  # type: ignore[no-any-return]

    def _path(self, dataset: str, window: Window) -> str:
        return f"{dataset}/{window.start:%Y-%m-%d}/{window.key}.parquet"

    def uri_of(self, dataset: str, window: Window) -> str:
        return f"{self.uri}/{self._path(dataset, window)}"

    @contextmanager
    def open_writer(self, dataset: str, window: Window, schema: pa.Schema) -> Iterator[LandingWriter]:
        fs, root = self._fs()
        final = f"{root}/{self._path(dataset, window)}"
        temporary = f"{root}/_incomplete/{uuid.uuid4().hex}.parquet"
        fs.create_dir(f"{root}/_incomplete", recursive=True)
        fs.create_dir(final.rpartition("/")[0], recursive=True)
        with pq.ParquetWriter(temporary, schema, filesystem=fs, compression="zstd") as parquet:
            writer = LandingWriter(parquet)
            yield writer
            parquet.add_key_value_metadata({_FACTS: json.dumps(writer.facts).encode()})
        fs.move(temporary, final)

    def read(
        self, dataset: str, window: Window, *, columns: Sequence[str] | None = None, batch_size: int = 10_000
    ) -> Iterator[pa.RecordBatch]:
        self.require(dataset, window)
        fs, root = self._fs()
        with fs.open_input_file(f"{root}/{self._path(dataset, window)}") as file:
            yield from pq.ParquetFile(file).iter_batches(batch_size=batch_size, columns=columns)

    def require(self, dataset: str, window: Window) -> LandedWindow:
        if (landed := self.describe(dataset, window)) is None:
            raise NotLanded(f"{dataset} of window {window.key} was never landed; materialize {dataset} for that window")
        return landed

    def describe(self, dataset: str, window: Window) -> LandedWindow | None:
        fs, root = self._fs()
        info = fs.get_file_info(f"{root}/{self._path(dataset, window)}")
        if info.type != pafs.FileType.File:
            return None
        with fs.open_input_file(info.path) as file:
            metadata = pq.ParquetFile(file).metadata
        facts = json.loads((metadata.metadata or {}).get(_FACTS, b"{}"))
        return LandedWindow(self.uri_of(dataset, window), metadata.num_rows, info.size, facts)
