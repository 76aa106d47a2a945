"""The measurements of speed, one function each; every one adds its rows to the report."""

import shutil
from collections.abc import Callable
from functools import partial

import redis

from benchmarks.before import Before, ScriptBefore
from benchmarks.bench import AHEAD, Bench
from benchmarks.inputs import WINDOW, Sandbox, sandbox_profile
from benchmarks.report import Bar, Ratio, Speed
from benchmarks.rig import interleave, rates, ratios, timed
from customer_pipeline.cache.codec import encode
from customer_pipeline.cache.coverage import Coverage
from customer_pipeline.cache.keys import CacheKeys
from customer_pipeline.cache.publisher import Publisher
from customer_pipeline.customers.normalize import Normalizer
from customer_pipeline.landing.store import LandingStore
from customer_pipeline.provider.client import ProviderClient
from customer_pipeline.steps.datasets import RAW_CUSTOMERS
from customer_pipeline.steps.ingestion import ingest
from customer_pipeline.steps.normalization import normalize
from customer_pipeline.steps.publication import publish

_SET_BATCH = 500
_SHORT_SIDES = 3  # a side of a few tenths of a second needs more rounds to be told from other work on the machine


def stages(bench: Bench) -> None:
    """Measure each stage by itself, from memory to memory, and all of them with what lies between."""
    sandbox = Sandbox(bench.folder / "sandbox", customers=bench.sizes.speed)
    bench.serve(sandbox)
    normalizer = Normalizer(sandbox_profile())
    _add_speeds(
        bench,
        {
            "fetch (HTTP walk of the sandbox)": lambda: timed(partial(_fetch, sandbox)),
            "normalize": lambda: timed(lambda: [normalizer(batch, ahead=AHEAD) for batch in bench.raw]),
            "encode": lambda: timed(lambda: [encode(table) for table in bench.customers]),
            "publish (guarded, empty cache)": lambda: bench.timed_write(lambda: bench.publisher.publish(bench.states)),
            "publish (guarded, all unchanged)": lambda: timed(lambda: bench.publisher.publish(bench.states)),
            "the whole: fetch, land, normalize, land, publish": lambda: _whole(bench, sandbox),
        },
    )


def publication(bench: Bench) -> None:
    """Compare the guarded publication with a blind SET of the same bytes, and with Feast's online write."""
    ours = "guarded publication"
    blind = "blind pipelined SET of the same bytes"
    theirs = "Feast online_write_batch"
    unguarded = "Feast online_write_batch, its guard off (skip_dedup)"
    pairs = [(CacheKeys().document(state.id), state.document or b"") for state in bench.states]
    sides = {
        ours: lambda: bench.timed_write(lambda: bench.publisher.publish(bench.states)),
        blind: lambda: bench.timed_write(lambda: _set_blindly(bench.connection, pairs)),
    }
    bars = {blind: Bar(limit=0.6), theirs: Bar(limit=4)}
    if bench.feast:
        sides[theirs] = partial(bench.checked_write, partial(bench.feast.run, "write"))
        sides[unguarded] = partial(bench.checked_write, partial(bench.feast.run, "write_blind"))
    seconds = _add_speeds(bench, sides, times=_SHORT_SIDES)
    for name in [rival for rival in seconds if rival != ours]:
        bench.report.ratios.append(Ratio(f"{ours} / {name}", ratios(seconds[name], seconds[ours]), bars.get(name)))


def indexes(bench: Bench) -> None:
    """Compare the publication with what it was before the indexes by value and the stream, and by the script alone."""
    publishers = {
        "now": Publisher(bench.connection),
        "before": Before(bench.connection),
        "now, by the script before": ScriptBefore(bench.connection),
    }
    fresh: dict[str, Callable[[], float]] = {
        f"fresh customers, {name}": partial(bench.timed_write, partial(publisher.publish, bench.states))
        for name, publisher in publishers.items()
    }
    changed: dict[str, Callable[[], float]] = {
        f"changed customers, {name}": partial(_timed_change, bench, publisher) for name, publisher in publishers.items()
    }
    for what, sides in (("fresh", fresh), ("changed", changed)):
        seconds = _add_speeds(bench, sides, times=_SHORT_SIDES)
        now, before, script = seconds.values()
        bench.report.ratios += [
            Ratio(
                f"publication of {what} customers now / before indexes and stream", ratios(before, now), Bar(limit=0.7)
            ),
            Ratio("the same, by the two scripts alone", ratios(script, now)),
        ]


def _timed_change(bench: Bench, publisher: Publisher) -> float:
    bench.connection.flushall()
    publisher.publish(bench.states)
    return timed(lambda: publisher.publish(bench.changed))


def materialization(bench: Bench) -> None:
    """Compare everything between two stores, landed records to cache, with Feast's materialize; both read Parquet."""
    ours = "read Parquet, normalize, encode, publish"
    theirs = "Feast materialize (read Parquet, convert, write)"
    sides = {ours: lambda: bench.timed_write(partial(_normalize_encode_publish, bench))}
    if bench.feast:
        sides[theirs] = partial(bench.checked_write, partial(bench.feast.run, "materialize"))
    seconds = _add_speeds(bench, sides)
    if theirs in seconds:
        ratio = ratios(seconds[theirs], seconds[ours])
        bench.report.ratios.append(Ratio("normalize + encode + publish / Feast materialize", ratio, Bar(limit=1)))


def _add_speeds(bench: Bench, sides: dict[str, Callable[[], float]], *, times: int = 1) -> dict[str, list[float]]:
    seconds = interleave(sides, rounds=times * bench.sizes.rounds)
    count = bench.sizes.speed
    bench.report.speeds.extend(Speed(name, count, rates(count, taken)) for name, taken in seconds.items())
    return seconds


def _fetch(sandbox: Sandbox) -> int:
    with ProviderClient(sandbox_profile(), sandbox.environment) as client:
        return sum(len(page.records) for page in client.walk(WINDOW))


def _whole(bench: Bench, sandbox: Sandbox) -> float:
    folder = bench.folder / "whole"
    landing = LandingStore(folder.as_uri())
    profile = sandbox_profile()
    coverage = Coverage(bench.connection, keys=CacheKeys(), start=WINDOW.start)

    def run() -> None:
        with ProviderClient(profile, sandbox.environment) as client:
            ingest(WINDOW, client=client, landing=landing)
        normalize(WINDOW, profile=profile, landing=landing)
        publish(WINDOW, landing=landing, publisher=bench.publisher, coverage=coverage)

    try:
        return bench.timed_write(run)
    finally:
        shutil.rmtree(folder)


def _normalize_encode_publish(bench: Bench) -> None:
    normalizer = Normalizer(sandbox_profile())
    bench.publisher.publish(
        state
        for batch in bench.landing.read(RAW_CUSTOMERS, WINDOW)
        for state in encode(normalizer(batch, ahead=AHEAD).customers)
    )


def _set_blindly(connection: redis.Redis, pairs: list[tuple[str, bytes]]) -> None:
    for start in range(0, len(pairs), _SET_BATCH):
        pipeline = connection.pipeline(transaction=False)
        for key, document in pairs[start : start + _SET_BATCH]:
            pipeline.set(key, document)
        pipeline.execute()
