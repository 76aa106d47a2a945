"""A pipeline of a few windows, worked by hand on a real landing store and a real cache."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from customer_pipeline import timestamps
from customer_pipeline.cache.connection import Connection
from customer_pipeline.cache.coverage import Coverage
from customer_pipeline.cache.publisher import Publisher
from customer_pipeline.customers import schemas
from customer_pipeline.erasure.erase import Erased, Erasure, Stores
from customer_pipeline.landing.store import LandingStore
from customer_pipeline.provider.profile import Profile
from customer_pipeline.steps import datasets, normalization, publication
from customer_pipeline.windows import WINDOW_LENGTH, Window
from customer_pipeline_tests.cache.states import KEYS, Contents, contents, told
from customer_pipeline_tests.landing.conftest import Place

VICTIM = "cus_victim"
WINDOWS = [
    Window(start, start + WINDOW_LENGTH)
    for start in (Window.from_key("2026-11-23T1450Z").start + number * WINDOW_LENGTH for number in range(3))
]
# Several share it.
FOUND_BY = {"email": "shared@example.com", "phone": "+41446681801"}
AS_OF = WINDOWS[0].start + timedelta(minutes=7)
PROFILE = Profile.model_validate(
    {
        "name": "by-hand",
        "base_url": "http://127.0.0.1:9",
        "list": {"path": "/customers"},
        "pagination": {"style": "page_number"},
        "fields": {"id": "id", "updated_at": "at", "status": "status", "email": "email", "phone": "phone"},
        "deleted": {"path": "gone"},
    }
)


def record(name: str, minutes: float, **more: object) -> dict[str, object]:
    return {"id": name, "at": timestamps.format_instant(WINDOWS[0].start + timedelta(minutes=minutes)), **more}


def raw(records: Iterable[object], *, fetched_at: datetime) -> pa.RecordBatch:
    texts = [one if isinstance(one, str) else orjson.dumps(one).decode() for one in records]
    ids = [one["id"] if isinstance(one, dict) else None for one in records]
    columns = [
        pa.array(ids, pa.string()),
        pa.array([None] * len(texts), schemas.INSTANT),
        pa.array([fetched_at] * len(texts), schemas.INSTANT),
        pa.array(texts, pa.string()),
    ]
    return pa.record_batch(columns, schema=schemas.RAW)


@dataclass
class World:
    """The stores, and what is done to them."""

    place: Place
    connection: Connection
    steps_of_erasure: list[str] = field(default_factory=list)

    @property
    def landing(self) -> LandingStore:
        return self.place.store()

    @property
    def stores(self) -> Stores:
        return Stores(landing_uri=self.place.uri, connection=self.connection, keys=KEYS, mapping=PROFILE)

    def land(self, window: Window, records: Sequence[object], *, landing: LandingStore | None = None) -> None:
        with (landing or self.landing).open_writer(datasets.RAW_CUSTOMERS, window, schemas.RAW) as writer:
            writer.write(raw(records, fetched_at=window.end))
            writer.facts["clock_difference_seconds"] = 0.5

    def process(self, window: Window) -> tuple[normalization.Normalized, publication.Published]:
        publisher, coverage = Publisher(self.connection, keys=KEYS), Coverage(self.connection, keys=KEYS)
        normalized = normalization.normalize(window, profile=PROFILE, landing=self.landing)
        return normalized, publication.publish(window, landing=self.landing, publisher=publisher, coverage=coverage)

    def begin(self) -> None:
        """Land and publish customers, among them one who is everywhere that a customer can be."""
        self.land(
            WINDOWS[0],
            [
                record("cus_a", 1, status="old"),
                record(VICTIM, 1, status="first"),
                record(VICTIM, 2, status="second", email="first@example.com", phone="+41446681800"),
                record("cus_b", 2, referred_by=VICTIM, email="b@example.com"),
                record(VICTIM, -(10**8), status="of no plausible time"),
                f'{{"id": "{VICTIM}", "status": "cut o',
                '{"id": "cus_c", "status": "cut o',
            ],
        )
        self.land(WINDOWS[1], [record("cus_a", 11, status="new", **FOUND_BY), record(f"{VICTIM}_2", 12, **FOUND_BY)])
        self.land(WINDOWS[2], [record("cus_b", 21, gone=True), record(VICTIM, 22, status="third", **FOUND_BY)])
        for window in WINDOWS:
            self.process(window)
        part = Window(WINDOWS[0].start, AS_OF)
        self.land(part, [record("cus_a", 1), record(VICTIM, 1)], landing=self.landing.snapshot(AS_OF))

    def leave_behind(self) -> None:
        """As a killed run does: a temporary file, whole or not."""
        whole = pa.BufferOutputStream()
        pq.write_table(pa.Table.from_batches([raw([record(VICTIM, 3)], fetched_at=WINDOWS[0].end)]), whole)
        content = whole.getvalue().to_pybytes()
        self.place.put("_incomplete/whole.parquet", content)
        self.place.put("_incomplete/cut.parquet", content[:-20])

    def enter(self, name: str = VICTIM) -> str:
        return self.stores.ledger.enter(name, by="officer@desk")

    def erase(self, hash_: str, *, customer_id: str | None = None, **options: Any) -> Erased:
        before = options.pop("before", self.steps_of_erasure.append)
        arguments: dict[str, Any] = {"under_way": set, "wait": _no_waiting, "by": "officer@desk"} | options
        return Erasure(self.stores, hash_, customer_id=customer_id, before=before).run(**arguments)

    def cache(self) -> Contents:
        return contents(self.connection)

    def rows(self) -> dict[str, list[dict[str, object]]]:
        """Every row of every landed file, by the file's name."""
        return {
            name: pq.read_table(pa.BufferReader(content)).to_pylist() if content else []
            for name, content in self.place.files().items()
            if name.endswith(".parquet") and not name.startswith("_incomplete/")
        }

    def facts(self) -> dict[str, bytes]:
        return {
            name: (pq.read_metadata(pa.BufferReader(content)).metadata or {})[b"customer_pipeline.landing"]
            for name, content in self.place.files().items()
            if name.endswith(".parquet") and not name.startswith("_incomplete/")
        }

    def traces(self, name: str = VICTIM) -> list[str]:
        """Where the customer still is, told without the code under test."""
        cache = self.cache()
        found = [key for key in cache.values if f"{{{name}}}" in key] + [name] * (name in cache.index)
        found += [value.decode() for whose, value in cache.by_email | cache.by_phone if whose == name]
        found += [one.version for one in told(self.connection) if one.id == name]
        for file, rows in self.rows().items():
            found += [file for row in rows if _is_of(row, name)]
        found += [file for file in self.place.files() if file.startswith("_incomplete/")]
        return found + [
            file for file, content in self.place.files().items() if name.encode() in content and "json" in file
        ]


def _is_of(row: dict[str, object], name: str) -> bool:
    text = str(row.get("record", ""))
    return row.get("id") == name or f'"id":"{name}"' in text or f'"id": "{name}"' in text


def without(rows: dict[str, list[dict[str, object]]], name: str = VICTIM) -> dict[str, list[dict[str, object]]]:
    return {file: [row for row in content if not _is_of(row, name)] for file, content in rows.items()}


def _no_waiting(_: float) -> None:
    raise AssertionError("nothing is under way")
