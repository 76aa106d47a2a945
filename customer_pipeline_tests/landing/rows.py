"""Rows to land."""

import pyarrow as pa

from customer_pipeline.windows import Window

WINDOW = Window.from_key("2026-11-23T1450Z")
SCHEMA = pa.schema(
    [
        pa.field("id", pa.int64(), nullable=False, metadata={"comment": "a number"}),
        pa.field("text", pa.string()),
        pa.field("at", pa.timestamp("us", tz="UTC")),
    ]
)


def table(count: int, *, first: int = 0, text: str | None = None) -> pa.Table:
    numbers = list(range(first, first + count))
    texts = [text or f"row {number}" for number in numbers]
    return pa.table([numbers, texts, pa.array(numbers, pa.int64()).cast(SCHEMA.field("at").type)], schema=SCHEMA)
