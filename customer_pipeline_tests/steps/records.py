"""What a provider said of one window, landed by hand."""

from collections.abc import Iterable
from datetime import datetime, timedelta

import orjson
import pyarrow as pa

from customer_pipeline import timestamps
from customer_pipeline.customers import schemas
from customer_pipeline.landing.store import LandingStore
from customer_pipeline.provider.profile import Profile
from customer_pipeline.steps import datasets
from customer_pipeline.windows import Window

WINDOW = Window.from_key("2026-11-23T1450Z")
FETCHED = WINDOW.end + timedelta(seconds=1)
PROFILE = Profile.model_validate(
    {
        "name": "by-hand",
        "base_url": "http://127.0.0.1:9",
        "list": {"path": "/customers"},
        "pagination": {"style": "page_number"},
        "fields": {"id": "id", "updated_at": "at", "status": "status"},
        "deleted": {"path": "gone"},
    }
)


def land(landing: LandingStore, records: Iterable[object], *, fetched_at: datetime = FETCHED) -> None:
    texts = [record if isinstance(record, str) else orjson.dumps(record).decode() for record in records]
    nothing = [None] * len(texts)
    columns = [
        pa.array(nothing, pa.string()),
        pa.array(nothing, schemas.INSTANT),
        pa.array([fetched_at] * len(texts), schemas.INSTANT),
        pa.array(texts, pa.string()),
    ]
    with landing.open_writer(datasets.RAW_CUSTOMERS, WINDOW, schemas.RAW) as writer:
        writer.write(pa.record_batch(columns, schema=schemas.RAW))
        writer.facts["walked_at"] = timestamps.format_instant(timestamps.now())


def at(minutes: float) -> str:
    return timestamps.format_instant(WINDOW.start + timedelta(minutes=minutes))
