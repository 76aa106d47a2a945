"""The landing store: Parquet files, one per dataset and window, and those of snapshots, one per dataset and part.

A file is there whole or not at all, and a later one takes its place at once. A window without rows is a file without
rows: fetched and empty is not the same as never fetched.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa

from customer_pipeline.landing.errors import NotLanded, explained
from customer_pipeline.landing.naming import SNAPSHOTS, ByPart, ByWindow, Naming, is_dataset, read
from customer_pipeline.landing.notes import Notes
from customer_pipeline.landing.reader import LandedWindow, LandingReader
from customer_pipeline.landing.storage import Storage
from customer_pipeline.landing.writer import LandingWriter
from customer_pipeline.windows import Window


@dataclass(frozen=True, kw_only=True, slots=True)
class LandedFile:
    """A file as a listing shows it, without having been opened.

    Attributes:
        window: of when it is.
        bytes: its size.
        at: when it was landed.
    """

    window: Window
    bytes: int
    at: datetime


class LandingStore:
    """Datasets by window, on a local disk (`file://`) or S3 (`s3://`, credentials from the environment).

    Nothing is touched before the first use. A store may be used by several threads, and by several processes at once:
    of two writers of one window the last to finish wins.

    Attributes:
        notes: the small files beside the datasets.

    Raises:
        LandingError: if the URI is malformed; it says what is expected.
    """

    def __init__(self, uri: str, *, naming: Naming | None = None, notes: Notes | None = None) -> None:
        self._uri = uri
        self._storage = Storage(uri)
        self._naming = naming or ByWindow()
        self.notes = notes or Notes(self._storage)

    def snapshot(self, as_of: datetime) -> "LandingStore":
        """Return the store of one snapshot's parts; its windows may begin and end at any instant."""
        return LandingStore(self._uri, naming=ByPart(as_of), notes=self.notes)

    def snapshots(self) -> list[datetime]:
        """Return the `as_of` of every snapshot of which anything was landed, oldest first.

        Raises:
            LandingError: if the store cannot be read.
        """
        found = []
        with explained(f"{self._storage.uri}/{SNAPSHOTS}"):
            # S3 keeps the folders of files that were removed
            folders = {file.name.split("/")[1] for file in self._storage.files(SNAPSHOTS)}
        for name in folders:
            with suppress(ValueError):
                found.append(read(name))
        return sorted(found)

    def datasets(self, as_of: datetime) -> list[str]:
        """Return the datasets of a snapshot, sorted.

        Raises:
            LandingError: if the store cannot be read.
        """
        home = ByPart(as_of).home
        with explained(f"{self._storage.uri}/{home}"):
            return [name for name in self._storage.folders(home) if is_dataset(name)]

    def landed(self, dataset: str) -> list[Window]:
        """Return every window of a dataset that was landed, oldest first; files of other names are passed over.

        Raises:
            LandingError: if the store cannot be read.
        """
        return [file.window for file in self.files(dataset)]

    def files(self, dataset: str) -> list[LandedFile]:
        """Return the file of every window of a dataset that was landed, as `landed` does.

        Raises:
            LandingError: if the store cannot be read.
        """
        folder = self._naming.folder(dataset)
        with explained(f"{self._storage.uri}/{folder}"):
            listed = self._storage.files(folder)
        found = [
            LandedFile(window=window, bytes=file.bytes, at=file.at)
            for file in listed
            if (window := self._naming.window(file.name)) and file.name == self._name(dataset, window)
        ]
        return sorted(found, key=lambda file: file.window)

    def remove(self, dataset: str, window: Window) -> None:
        """Remove what was landed of a window, if anything was.

        Raises:
            LandingError: if it cannot be removed.
        """
        with explained(self.uri_of(dataset, window)):
            self._storage.remove(self._name(dataset, window))

    @contextmanager
    def open_writer(self, dataset: str, window: Window, schema: pa.Schema) -> Iterator[LandingWriter]:
        """Land a window: its file appears, or is replaced, when the block ends without an exception.

        The block may narrow `window` of the writer to what it has: the file is then of that.

        Raises:
            LandingError: if the store cannot be written, or rows do not have the schema.
        """
        uri = self.uri_of(dataset, window)
        with explained(uri):
            temporary, stream = self._storage.create_temporary()
        writer = None
        try:
            with explained(uri):
                # a full disk refuses even the first bytes
                writer = LandingWriter(stream, schema, uri=uri, window=window)
            yield writer
            writer.finish(dataset=dataset, label=self._naming.label(writer.window))
            with explained(uri):
                self._storage.commit(temporary, self._name(dataset, writer.window))
        except BaseException:
            if writer is None:
                with suppress(OSError):
                    stream.close()
            else:
                writer.abandon()
            self._storage.discard(temporary)
            raise

    def read(
        self,
        dataset: str,
        window: Window,
        *,
        columns: Sequence[str] | None = None,
        schema: pa.Schema | None = None,
        batch_size: int = 10_000,
    ) -> Iterator[pa.RecordBatch]:
        """Return the rows of a window in batches; memory does not grow with the file.

        Args:
            dataset: which rows.
            window: of when.
            columns: those to read; all by default.
            schema: what the file must have been written with, where that matters.
            batch_size: the most rows in one batch.

        Raises:
            NotLanded: if the window was never landed.
            Damaged: if the file is, or was not written with `schema`; some of it is noticed as the rows are read.
            LandingError: if it cannot be read.
        """
        self.require(dataset, window)
        return self._reader(dataset, window).batches(columns=columns, schema=schema, batch_size=batch_size)

    def require(self, dataset: str, window: Window) -> LandedWindow:
        """Describe a landed window.

        Raises:
            NotLanded: if the window was never landed.
            Damaged: if the file is.
            LandingError: if it cannot be read.
        """
        if (landed := self.describe(dataset, window)) is None:
            raise NotLanded(
                f"{dataset} of window {self._naming.label(window)} was never landed, or is no longer kept "
                f"({self.uri_of(dataset, window)}); materialize {dataset} for that window, with what is upstream of it"
            )
        return landed

    def describe(self, dataset: str, window: Window) -> LandedWindow | None:
        """Describe a landed window; None when it was never landed.

        Raises:
            Damaged: if the file is.
            LandingError: if it cannot be read.
        """
        return self._reader(dataset, window).describe(dataset=dataset, label=self._naming.label(window))

    def uri_of(self, dataset: str, window: Window) -> str:
        """Return where the file of a window is, or would be."""
        return f"{self._storage.uri}/{self._name(dataset, window)}"

    def _name(self, dataset: str, window: Window) -> str:
        return self._naming.name(dataset, window)

    def _reader(self, dataset: str, window: Window) -> LandingReader:
        return LandingReader(self._storage, self._name(dataset, window))
