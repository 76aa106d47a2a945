"""What is measured on: invented customers of the sandbox, with its usual dirt, that all changed within one window."""

import os
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa

from customer_pipeline.customers import schemas
from customer_pipeline.provider.profile import Profile, load_profile
from customer_pipeline.sandbox.app import DEFAULT_TOKEN
from customer_pipeline.sandbox.people import customer_id, invent
from customer_pipeline.sandbox.rendering import DatetimeForm, render
from customer_pipeline.sandbox.store import Row, Store
from customer_pipeline.timestamps import epoch_milliseconds
from customer_pipeline.windows import WINDOW_LENGTH, Window
from customer_pipeline_tests.servers import ServerProcess, free_port

_START = datetime(2026, 3, 10, 9, tzinfo=UTC)
WINDOW = Window(_START, _START + WINDOW_LENGTH)
FETCHED_AT = WINDOW.end
_SEED = 1
_DAY = 86_400_000_000


def sandbox_profile() -> Profile:
    """Return the sandbox's own profile."""
    return load_profile("sandbox")


def keyset_profile() -> Profile:
    """Return the same provider, walked by its stable cursor.

    A million records in ten minutes are 1,700 a second. The shipped profile goes on by value, a second further back
    each time, and would receive every record many times; and the total makes the sandbox count what is left.
    """
    document = sandbox_profile().model_dump(by_alias=True)
    document["list"]["path"] = "/bearer/cursor/customers"
    del document["list"]["query"]["total"]
    size = {name: document["pagination"][name] for name in ("size", "size_param")}
    document["pagination"] = {"style": "cursor", "cursor": "next_cursor", "stable": True, **size}
    return Profile.model_validate(document)


def raw_batches(count: int, *, size: int) -> list[pa.RecordBatch]:
    """Return what ingestion lands of `count` customers, in batches of `size`."""
    texts = [render(row, updated=DatetimeForm.RFC3339, created=DatetimeForm.MIXED).decode() for row in _rows(count)]
    return [_landed(texts[start : start + size]) for start in range(0, count, size)]


def changed(customers: pa.Table) -> pa.Table:
    """Return customers a second later with another status, and one in ten with another address and number."""
    rows = customers.to_pylist()
    for row in rows:
        row["updated_at"] += timedelta(seconds=1)
        row["status"] = f"no longer {row['status']}"
    for row in rows[::10]:
        row["email"] = f"new.{row['email'] or 'address@example.com'}"
        row["phone"] = f"{row['phone'] or '+4144668180'}0"
    return pa.Table.from_pylist(rows, schema=customers.schema)


class Sandbox(ServerProcess):
    """The sandbox provider, whose customers never change again; its state is a file in `folder`."""

    def __init__(self, folder: Path, *, customers: int, span: Window = WINDOW) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        state = folder / "sandbox.sqlite"
        _fill(state, customers, span)
        port = free_port()
        command = [sys.executable, "-m", "customer_pipeline.sandbox", "--port", str(port), "--state", str(state)]
        super().__init__(
            [*command, "--changes-per-minute", "0"],
            port,
            log=folder / "sandbox.log",
            env={**os.environ, "SANDBOX_TOKEN": DEFAULT_TOKEN},
        )

    @property
    def environment(self) -> dict[str, str]:
        """What the sandbox's profile looks up."""
        return {"SANDBOX_URL": f"http://127.0.0.1:{self.port}", "SANDBOX_TOKEN": DEFAULT_TOKEN}


def _fill(state: Path, customers: int, span: Window) -> None:
    store = Store(str(state))
    with store.transaction():
        for name, value in {"seed": _SEED, "next_change": 1, "next_due": 0}.items():
            store.set(name, value)
        store.insert(_rows(customers, span))
    store.close()


def _rows(count: int, span: Window = WINDOW) -> Iterator[Row]:
    """Invent customers whose `updated_at` are spread over the span; none is deleted, so each has a document."""
    start, end = (epoch_milliseconds(bound) * 1000 for bound in (span.start, span.end))
    for number in range(1, count + 1):
        updated_at = start + (number - 1) * (end - start) // count
        created_at = start - number % 1500 * _DAY
        body = invent(_SEED, number)
        yield Row(number, customer_id(number), updated_at, created_at, deleted=False, verbatim=False, body=body)


def _landed(texts: list[str]) -> pa.RecordBatch:
    size = len(texts)
    columns = {
        "id": pa.nulls(size, pa.string()),
        "updated_at": pa.nulls(size, schemas.INSTANT),
        "fetched_at": pa.repeat(pa.scalar(FETCHED_AT, schemas.INSTANT), size),
        "record": pa.array(texts, pa.string()),
    }
    return pa.record_batch([columns[name] for name in schemas.RAW.names], schema=schemas.RAW)
