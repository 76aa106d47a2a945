"""A landing store that reads the raw records of another one and keeps everything else to itself."""

from collections.abc import Iterator, Sequence

import pyarrow as pa

from customer_pipeline.landing.reader import LandedWindow
from customer_pipeline.landing.store import LandingStore
from customer_pipeline.steps import datasets
from customer_pipeline.windows import Window


class ReplayStore(LandingStore):
    """What is normalized from the raw records of `source` lands at `uri`; `source` is never written."""

    def __init__(self, uri: str, *, source: LandingStore) -> None:
        super().__init__(uri, notes=source.notes)
        self._source = source

    def read(
        self,
        dataset: str,
        window: Window,
        *,
        columns: Sequence[str] | None = None,
        schema: pa.Schema | None = None,
        batch_size: int = 10_000,
    ) -> Iterator[pa.RecordBatch]:
        """Return the rows of a window; the raw ones from the source."""
        if dataset == datasets.RAW_CUSTOMERS:
            return self._source.read(dataset, window, columns=columns, schema=schema, batch_size=batch_size)
        return super().read(dataset, window, columns=columns, schema=schema, batch_size=batch_size)

    def describe(self, dataset: str, window: Window) -> LandedWindow | None:
        """Describe a landed window; a raw one in the source."""
        if dataset == datasets.RAW_CUSTOMERS:
            return self._source.describe(dataset, window)
        return super().describe(dataset, window)

    def uri_of(self, dataset: str, window: Window) -> str:
        """Return where the file of a window is; of a raw one in the source."""
        if dataset == datasets.RAW_CUSTOMERS:
            return self._source.uri_of(dataset, window)
        return super().uri_of(dataset, window)
