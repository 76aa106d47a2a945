"""The rival: Feast writing the same records to the same kind of server. Run by the Python of Feast's own environment.

    python feast_rival.py FOLDER PARQUET HOST:PORT

It prints one JSON line when the records are ready, then answers each command that it reads from standard input with one
JSON line. Nothing here imports the project: the two environments share the Parquet file and the server alone.
"""

import contextlib
import gc
import json
import os
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from feast import Entity, FeatureStore, FeatureView, Field, FileSource, RepoConfig, ValueType, types, utils

VIEW = "customers"
KEY = "id"
EVENT_TIME = "updated_at"
BATCH = 1_000  # of 250 to 20,000 records none was faster beyond the noise

TYPES = {"string": types.String, "timestamp[us, tz=UTC]": types.UnixTimestamp}


def open_store(folder: Path, parquet: Path, server: str, *, guarded: bool) -> FeatureStore:
    """Return a store with one feature view, whose features are the file's columns."""
    store = FeatureStore(
        config=RepoConfig(
            project="bench_guarded" if guarded else "bench_blind",
            provider="local",
            registry=str(folder / f"registry-{guarded}.db"),
            online_store={"type": "redis", "connection_string": server, "skip_dedup": not guarded},
            offline_store={"type": "file"},
            entity_key_serialization_version=3,
        )
    )
    customer = Entity(name="customer", join_keys=[KEY], value_type=ValueType.STRING)
    schema = [
        Field(name=column.name, dtype=TYPES[str(column.type)])
        for column in pq.read_schema(parquet)
        if column.name != EVENT_TIME
    ]
    view = FeatureView(
        name=VIEW,
        entities=[customer],
        ttl=timedelta(0),
        schema=schema,
        source=FileSource(path=str(parquet), timestamp_field=EVENT_TIME),
    )
    store.apply([customer, view])
    return store


def writer(store: FeatureStore, parquet: Path) -> Callable[[], None]:
    """Return a call that writes records which are already the protos that Feast's online store takes."""
    view = store.get_feature_view(VIEW)
    (table,) = pq.read_table(parquet).combine_chunks().to_batches()
    rows = utils._convert_arrow_to_proto(table, view, {KEY: ValueType.STRING})  # noqa: SLF001
    batches = [rows[start : start + BATCH] for start in range(0, len(rows), BATCH)]
    online = store._get_provider().online_store  # noqa: SLF001

    def write() -> None:
        for batch in batches:
            online.online_write_batch(store.config, view, batch, None)

    return write


def materializer(store: FeatureStore, parquet: Path) -> Callable[[], None]:
    """Return a call that materializes every record of the file."""
    times = pq.read_table(parquet, columns=[EVENT_TIME])[EVENT_TIME].to_pandas()
    start, end = times.min().to_pydatetime(), times.max().to_pydatetime() + timedelta(seconds=1)

    def materialize() -> None:
        store.materialize(start, end, [VIEW])

    return materialize


def serve(commands: dict[str, Callable[[], None]], answer: Any) -> None:
    """Time each command that arrives until there are no more."""
    print(json.dumps({"ready": sorted(commands)}), file=answer, flush=True)
    for line in sys.stdin:
        command = commands[line.strip()]
        gc.collect()
        start = time.perf_counter()
        command()
        print(json.dumps({"seconds": time.perf_counter() - start}), file=answer, flush=True)


def main() -> None:
    folder, parquet, server = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    os.chdir(folder)
    with contextlib.redirect_stdout(sys.stderr):  # Feast prints its progress; the answers have standard output alone
        guarded = open_store(folder, parquet, server, guarded=True)
        blind = open_store(folder, parquet, server, guarded=False)
        commands = {
            "write": writer(guarded, parquet),
            "write_blind": writer(blind, parquet),
            "materialize": materializer(guarded, parquet),
        }
        serve(commands, sys.__stdout__)


if __name__ == "__main__":
    main()
