"""Damage as a disk makes it: a byte is another one, and the rest of the file is as it was written."""

from pathlib import Path

import pyarrow.parquet as pq

from customer_pipeline.landing.store import LandingStore
from customer_pipeline.windows import Window


def path_of(landing: LandingStore, dataset: str, window: Window) -> Path:
    return Path(landing.uri_of(dataset, window).removeprefix("file://"))


def damage_a_page(landing: LandingStore, dataset: str, window: Window, *, column: str) -> None:
    """Flip the bits of one byte in the middle of the rows of a column; the footer stays readable."""
    path = path_of(landing, dataset, window)
    group = pq.read_metadata(path).row_group(0)
    chunk = next(each for each in map(group.column, range(group.num_columns)) if each.path_in_schema == column)
    contents = bytearray(path.read_bytes())
    start = chunk.dictionary_page_offset or chunk.data_page_offset
    contents[start + chunk.total_compressed_size // 2] ^= 0xFF
    path.write_bytes(contents)
    assert landing.describe(dataset, window)
