"""What must be true in the end, whatever happened: the cache equals the provider, and nothing is left to do."""

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import pyarrow as pa

from customer_pipeline.cache.codec import encode
from customer_pipeline.cache.coverage import Coverage
from customer_pipeline.cache.keys import CacheKeys
from customer_pipeline.customers import schemas
from customer_pipeline.customers.normalize import Normalizer
from customer_pipeline.provider.profile import Profile
from customer_pipeline.timestamps import now, parse_instant
from customer_pipeline.windows import Window, subtract
from customer_pipeline_tests.drills.instance import ASSETS
from customer_pipeline_tests.drills.stack import Stack

Document = dict[str, Any]


def coverage_gaps(stack: Stack, *, until: datetime) -> list[Window]:
    """Return what the cache lacks; all of it, when the cache is empty."""
    with stack.redis() as client:
        return Coverage(client, keys=CacheKeys(), start=stack.start_at).gaps(until)


def cached(stack: Stack) -> dict[str, Document]:
    """Return every document by its id, without its version."""
    with stack.redis() as client:
        keys = [key for key in client.scan_iter("customer:{*}", count=10_000) if key.endswith(b"}")]
        values = client.mget(keys) if keys else []
    documents = {}
    for key, value in zip(keys, values, strict=True):
        document = json.loads(value)
        assert document.pop("version").partition("/")[0] == document["updated_at"]
        documents[key.decode().removeprefix("customer:{").removesuffix("}")] = document
    return documents


def expected(truth: Iterable[Mapping[str, Any]], *, profile: Profile) -> dict[str, Document]:
    """Return the documents of the provider's live customers, normalized."""
    lines = [line for line in truth if not line["deleted"]]
    batch = pa.record_batch(
        [
            pa.array([line["id"] for line in lines], pa.string()),
            pa.array([parse_instant(line["updated_at"]) for line in lines], schemas.INSTANT),
            pa.repeat(pa.scalar(now(), schemas.INSTANT), len(lines)),
            pa.array([json.dumps(line["record"]) for line in lines], pa.string()),
        ],
        schema=schemas.RAW,
    )
    documents = {}
    for state in encode(Normalizer(profile)(batch, ahead=profile.future_margin).customers):
        if state.document is not None:
            document = json.loads(state.document)
            del document["version"]
            documents[state.id] = document
    return documents


def differences(stack: Stack, *, until: datetime) -> list[str]:
    """Return one line for every customer in which cache and provider differ. No value is repeated.

    What changed at `until` or later lies in a window that has not ended: the cache may hold any earlier state of it.
    """
    truth = stack.provider.truth()
    due = [line for line in truth.values() if parse_instant(line["updated_at"]) < until]
    undecided = truth.keys() - {line["id"] for line in due}
    is_, ought = cached(stack), expected(due, profile=stack.profile)
    lines = [f"{id_}: not in the cache" for id_ in sorted(ought.keys() - is_.keys())]
    lines += [f"{id_}: not at the provider" for id_ in sorted(is_.keys() - ought.keys() - undecided)]
    lines += [
        f"{id_}: differs in {sorted(name for name in ought[id_] if is_[id_].get(name) != ought[id_][name])}"
        for id_ in sorted(ought.keys() & is_.keys())
        if is_[id_] != ought[id_]
    ]
    return lines + misindexed(stack, is_)


def misindexed(stack: Stack, documents: Mapping[str, Document]) -> list[str]:
    """Return one line for every customer of whom an index or the stream's end says otherwise than the document."""
    with stack.redis() as client:
        listed = {member.decode() for member in client.zrange("customers:by_updated_at", 0, -1)}
        entries = {name: client.zrange(f"customers:by_{name}", 0, -1) for name in ("email", "phone")}
        changes = client.xrange("customers:changes")
    lines = [f"{id_}: index and documents differ" for id_ in sorted(listed ^ documents.keys())]
    for name, found in entries.items():
        is_ = {tuple(entry.decode().split("\n")) for entry in found}
        ought = {(_text(document[name]), id_) for id_, document in documents.items() if document[name] is not None}
        lines += [f"{entry[-1]}: index by {name} and documents differ" for entry in sorted(is_ ^ ought)]
    newest = {fields[b"id"].decode(): fields[b"kind"] for _, fields in changes}
    if documents and not changes:
        lines.append("the stream is empty")
    return lines + [
        f"{id_}: the stream's newest change is {kind.decode()}"
        for id_, kind in sorted(newest.items())
        if kind != (b"changed" if id_ in documents else b"deleted")
    ]


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)[1:-1]


def not_green(stack: Stack, windows: Iterable[Window]) -> dict[str, list[Window]]:
    """Return what of `windows` is not MATERIALIZED in Dagster, by asset."""
    lacking = {}
    spans = list(windows)
    for asset in ASSETS:
        green = stack.instance.partitions(asset).get("MATERIALIZED", [])
        if missing := [hole for span in spans for hole in subtract(span, green)]:
            lacking[asset] = missing
    return lacking


def problems(stack: Stack, windows: Iterable[Window], *, until: datetime) -> list[str]:
    """Return everything that is not as it must be in the end; nothing when all is well."""
    found = [f"gap {gap.start:%dT%H%M} to {gap.end:%dT%H%M}" for gap in coverage_gaps(stack, until=until)]
    found += differences(stack, until=until)
    found += [
        f"{asset} is not green in {[(hole.start.isoformat(), hole.end.isoformat()) for hole in holes]}"
        for asset, holes in not_green(stack, windows).items()
    ]
    # The schedule may have begun the next window meanwhile.
    unfinished = [run for run in stack.instance.unfinished() if run.windows is None or run.windows.start < until]
    found += [f"run {run.id} ({run.lane}) is {run.status}" for run in unfinished]
    return found + [f"backfill {each} is under way" for each in stack.instance.backfills_in_progress()]
