"""Read one window's file: what its footer says of it, and its rows in batches, without mistaking damage for rows."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import JsonValue, TypeAdapter

from customer_pipeline.landing.errors import REPLACED_BY, Damaged, LandingError, explained
from customer_pipeline.landing.storage import Storage
from customer_pipeline.landing.writer import FOOTER_KEY


@dataclass(frozen=True, kw_only=True, slots=True)
class LandedWindow:
    """A window that was landed, perhaps without rows."""

    uri: str
    rows: int
    bytes: int
    facts: dict[str, JsonValue]


@dataclass(frozen=True)
class _Footer:
    dataset: str
    window: str
    facts: dict[str, JsonValue]


_FOOTER = TypeAdapter(_Footer)


class LandingReader:
    """Reads the file of that name, which may be replaced meanwhile; nothing is touched before the first use."""

    def __init__(self, storage: Storage, name: str) -> None:
        self._storage = storage
        self._name = name
        self._uri = f"{storage.uri}/{name}"

    def describe(self, *, dataset: str, label: str) -> LandedWindow | None:
        """Describe the window of that label; None where there is no file.

        Raises:
            Damaged: if the file is, or is of another window.
            LandingError: if it cannot be read.
        """
        with explained(self._uri):
            if (size := self._storage.size(self._name)) is None:
                return None
            file = self._storage.open(self._name)
        with file, self._unreplaced(file):
            metadata = pq.read_metadata(file)
        footer = _footer(metadata.metadata)
        if footer is None or footer.dataset != dataset or footer.window != label:
            problem = "not written here by the landing store"
            raise Damaged(self._uri, f"{problem}; remove it, then materialize {dataset} for that window")
        return LandedWindow(uri=self._uri, rows=metadata.num_rows, bytes=size, facts=footer.facts)

    def batches(
        self, *, columns: Sequence[str] | None, schema: pa.Schema | None, batch_size: int
    ) -> Iterator[pa.RecordBatch]:
        """Return the rows in batches, after a look at the columns.

        Raises:
            Damaged: if the file is, or was not written with `schema`; some of it is noticed as the rows are read.
            LandingError: if it cannot be read.
        """
        with explained(self._uri):
            file = self._storage.open(self._name)
        with self._unreplaced(file):
            parquet = pq.ParquetFile(file, pre_buffer=True, page_checksum_verification=True)
            _check_schema(parquet.schema_arrow, schema=schema, columns=columns, uri=self._uri)
        return self._batches(file, parquet, columns=columns and list(columns), batch_size=batch_size)

    def _batches(
        self, file: pa.NativeFile, parquet: pq.ParquetFile, *, columns: Sequence[str] | None, batch_size: int
    ) -> Iterator[pa.RecordBatch]:
        with file:
            for group in range(parquet.num_row_groups):
                with self._unreplaced(file):
                    batches = parquet.iter_batches(batch_size, row_groups=[group], columns=columns)
                    batch = next(batches, None)
                    # the whole group has arrived with its first batch: was it that of one file?
                    self._check_unreplaced(file)
                if batch is None:
                    raise Damaged(self._uri, f"its footer is damaged; {REPLACED_BY}")
                while batch is not None:
                    yield batch
                    with self._unreplaced(file):
                        batch = next(batches, None)

    @contextmanager
    def _unreplaced(self, file: pa.NativeFile) -> Iterator[None]:
        """Explain errors, and tell a damaged file from one that was replaced in the middle of reading it."""
        try:
            with explained(self._uri):
                yield
        except LandingError as error:
            if not error.transient:
                self._check_unreplaced(file)
            raise

    def _check_unreplaced(self, file: pa.NativeFile) -> None:
        with explained(self._uri):
            replaced = self._storage.is_replaced(self._name, file)
        if replaced:
            raise LandingError(
                f"{self._uri}: replaced while it was read; it heals by itself when a later tick succeeds",
                transient=True,
            )


def _footer(metadata: dict[bytes, bytes] | None) -> _Footer | None:
    """Return what the writer left; None where it left nothing, or what no checksum covers is damaged."""
    with suppress(ValueError):
        return _FOOTER.validate_json((metadata or {}).get(FOOTER_KEY, b""))
    return None


def _check_schema(found: pa.Schema, *, schema: pa.Schema | None, columns: Sequence[str] | None, uri: str) -> None:
    missing = sorted(set(columns or ()) - set(found.names))
    if missing or not (schema is None or found.equals(schema)):
        without = f", without {missing}" if missing else ""
        raise Damaged(uri, f"written with other columns than are asked for{without}; {REPLACED_BY}")
