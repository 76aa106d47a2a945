"""Every Parquet file of a landing store, whatever it is of: for what concerns all of them alike."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import TypeAlias

import numpy as np  # noqa: TC002 -- of an alias
import pyarrow as pa
import pyarrow.parquet as pq

from customer_pipeline.landing.errors import LandingError, explained
from customer_pipeline.landing.storage import INCOMPLETE, Storage
from customer_pipeline.landing.writer import FOOTER_KEY

_SCANNED_ROWS = 10_000

Mask: TypeAlias = "np.ndarray[tuple[int], np.dtype[np.bool_]]"


class LandedFiles:
    """The files below a landing URI, by name.

    Raises:
        LandingError: if the URI is malformed; from every method, if the store cannot be read or written.
    """

    def __init__(self, uri: str) -> None:
        self._storage = Storage(uri)

    def names(self) -> list[str]:
        """Return the names of all files that were landed, sorted."""
        return [name for name in self._names() if not _is_temporary(name)]

    def temporaries(self) -> list[str]:
        """Return the names of the files that are being written, or were left behind by a killed process."""
        return [name for name in self._names() if _is_temporary(name)]

    def discard(self, temporary: str) -> None:
        """Remove a temporary file."""
        with explained(f"{self._storage.uri}/{temporary}"):
            self._storage.remove(temporary)

    def stamp(self, name: str) -> str | None:
        """Return what is another whenever the file is another; None when there is none."""
        with explained(f"{self._storage.uri}/{name}"):
            return self._storage.stamp(name)

    def batches(self, name: str, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Return the rows in batches, of `columns` those that the file has; nothing if it has none of them."""
        with explained(f"{self._storage.uri}/{name}"), self._storage.open(name) as file:
            parquet = pq.ParquetFile(file, page_checksum_verification=True)
            if present := [column for column in columns if column in parquet.schema_arrow.names]:
                yield from parquet.iter_batches(_SCANNED_ROWS, columns=present)

    def rewrite(self, name: str, *, without: Callable[[pa.Table], Mask], stamp: str) -> None:
        """Replace a file by one without the rows that `without` marks; the facts in its footer stay.

        The file that was read must still be there when the new one takes its place: between that look and the renaming
        lie milliseconds, in which a run that lands the same window anew would be lost.

        Args:
            name: of the file.
            without: marks the rows of one row group.
            stamp: of the file.

        Raises:
            LandingError: transient if the file was replaced meanwhile: nothing was changed.
        """
        uri = f"{self._storage.uri}/{name}"
        with explained(uri):
            temporary, stream = self._storage.create_temporary()
        try:
            with explained(uri):
                with stream, self._storage.open(name) as file:
                    _copy(file, stream, without=without)
                self._require(name, stamp)
                self._storage.commit(temporary, name)
        except BaseException:
            with suppress(OSError):
                stream.close()
            self._storage.discard(temporary)
            raise

    def _require(self, name: str, stamp: str) -> None:
        if self._storage.stamp(name) != stamp:
            raise LandingError(
                f"{self._storage.uri}/{name}: replaced while it was being rewritten; repeat it", transient=True
            )

    def _names(self) -> list[str]:
        with explained(self._storage.uri):
            return [name for name in self._storage.names("") if name.endswith(".parquet")]


def _copy(file: pa.NativeFile, stream: pa.NativeFile, *, without: Callable[[pa.Table], Mask]) -> None:
    parquet = pq.ParquetFile(file, page_checksum_verification=True)
    footer = (parquet.metadata.metadata or {}).get(FOOTER_KEY)
    schema = parquet.schema_arrow.remove_metadata()
    with pq.ParquetWriter(stream, schema, compression="zstd", write_page_checksum=True) as writer:
        for number in range(parquet.num_row_groups):
            group = parquet.read_row_group(number)
            kept = group.filter(pa.array(~without(group))).replace_schema_metadata()
            if kept.num_rows:
                writer.write_table(kept, row_group_size=kept.num_rows)
        if footer is not None:
            writer.add_key_value_metadata({FOOTER_KEY: footer})


def _is_temporary(name: str) -> bool:
    return name.startswith(f"{INCOMPLETE}/")
