"""Write one window's file: small batches in, row groups of bounded size out."""

import json
from contextlib import suppress
from typing import TypeAlias

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import JsonValue  # noqa: TC002 -- the other annotations of this module are not deferred either

from customer_pipeline.landing.errors import LandingError, explained
from customer_pipeline.windows import Window

ROW_GROUP_ROWS = 50_000
ROW_GROUP_BYTES = 16 * 2**20
FOOTER_KEY = b"customer_pipeline.landing"

Rows: TypeAlias = pa.RecordBatch | pa.Table


class LandingWriter:
    """Writes the rows of one window; nothing is seen of them before the writer's `with` ends well.

    Attributes:
        rows: how many rows were written so far.
        window: what the file will be of.
        facts: what is to be remembered of the window; it lies in the file's footer as JSON.
    """

    def __init__(self, stream: pa.NativeFile, schema: pa.Schema, *, uri: str, window: Window) -> None:
        self.rows = 0
        self.window = window
        self.facts: dict[str, JsonValue] = {}
        self._uri = uri
        self._schema = schema
        self._stream = stream
        self._parquet = pq.ParquetWriter(stream, schema, compression="zstd", write_page_checksum=True)
        self._waiting: list[pa.Table] = []
        self._waiting_rows = 0
        self._waiting_bytes = 0

    def write(self, batch: Rows) -> None:
        """Add rows.

        Raises:
            LandingError: if their columns are not those of the schema, or the store cannot be written.
        """
        table = pa.Table.from_batches([batch]) if isinstance(batch, pa.RecordBatch) else batch
        self._check(table)
        self.rows += table.num_rows
        for piece in _pieces(table):
            rows, size = self._waiting_rows + piece.num_rows, self._waiting_bytes + piece.nbytes
            if rows > ROW_GROUP_ROWS or size > ROW_GROUP_BYTES:
                self._flush()
            self._waiting.append(piece)
            self._waiting_rows += piece.num_rows
            self._waiting_bytes += piece.nbytes

    def finish(self, *, dataset: str, label: str) -> None:
        """Write what is left and the footer, and close the file."""
        facts = {"dataset": dataset, "window": label, "facts": self.facts}
        text = json.dumps(facts, allow_nan=False)
        self._flush()
        with explained(self._uri):
            self._parquet.add_key_value_metadata({FOOTER_KEY: text.encode()})
            self._parquet.close()
            self._stream.close()

    def abandon(self) -> None:
        """Close the file, whatever it holds: an S3 upload cannot be taken back before it is complete."""
        for part in (self._parquet, self._stream):
            with suppress(OSError, pa.ArrowException, ValueError):
                part.close()

    def _flush(self) -> None:
        if not self._waiting_rows:
            return
        table = pa.concat_tables(self._waiting)
        self._waiting, self._waiting_rows, self._waiting_bytes = [], 0, 0
        with explained(self._uri):
            self._parquet.write_table(table, row_group_size=table.num_rows)

    def _check(self, table: pa.Table) -> None:
        if not table.schema.equals(self._schema):
            different = [field.name for field in self._schema if field not in list(table.schema)]
            unknown = [field.name for field in table.schema if field not in list(self._schema)]
            raise LandingError(
                f"{self._uri}: the rows are not of the file's schema; missing or of another type: "
                f"{different or 'none'}, not foreseen: {unknown or 'none'}; build them with the schema, in its order"
            )
        empty = [field.name for field in self._schema if not field.nullable and table[field.name].null_count]
        if empty:
            raise LandingError(f"{self._uri}: the columns {empty} must not hold nulls")


def _pieces(table: pa.Table) -> list[pa.Table]:
    """Cut a table so that no piece exceeds a row group."""
    per_row = max(1, table.nbytes // max(1, table.num_rows))
    step = max(1, min(ROW_GROUP_ROWS, ROW_GROUP_BYTES // per_row))
    return [table.slice(start, step) for start in range(0, table.num_rows, step)]
