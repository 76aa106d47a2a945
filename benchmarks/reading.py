"""The measurement of the read API: requests a second and how long they take, while others listen to the changes."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random
from urllib.parse import quote

import orjson
import requests

from benchmarks.bench import Bench
from benchmarks.load import Load, LoadUnavailableError, Wrk, redis_gets
from benchmarks.report import Bar, Latency, Ratio
from benchmarks.rig import Spread, elsewhere
from customer_pipeline.cache.codec import State
from customer_pipeline.cache.keys import CacheKeys
from customer_pipeline_tests.api.serving import ApiServer

_LISTENERS = 500
_PATHS = 2_000
_BATCH = 20
_PAGE = 100
_REDIS = "redis-benchmark: GET of one document"
_ONE = "one customer"
_HALF = "one customer, at half of that rate"
_READS_A_SECOND = 4_000
_MILLISECONDS = 10


def reading(bench: Bench) -> None:
    """Read through one process of the API, beside what its server gives by itself; 500 clients hear of changes."""
    bench.connection.flushall()
    bench.publisher.publish(bench.states)
    server = ApiServer(bench.folder / "api", bench.valkey.url)
    try:
        with server, _listeners(server), _changes(bench):
            _measure(bench, server)
    except LoadUnavailableError as error:
        bench.report.notes.append(f"The read API's rows are left out: {error}")


def _measure(bench: Bench, server: ApiServer) -> None:
    folder = server.log.parent
    loads = {
        name: Wrk(server.url, _answered(server, paths), key=server.key, folder=folder)
        for name, paths in _requests(bench.states).items()
    }
    key = CacheKeys().document(bench.states[0].id)
    seconds = bench.sizes.load_seconds
    found: dict[str, list[Load]] = {name: [] for name in (_REDIS, *loads, _HALF)}
    for number in range(bench.sizes.rounds + 1):
        one = {_REDIS: redis_gets(bench.valkey.port, key, requests=seconds * 20_000)}
        one |= {name: load.run(seconds) for name, load in loads.items()}
        one[_HALF] = loads[_ONE].run(seconds, at_most=one[_ONE].rate / 2)
        if number:  # the first warms up
            for name, load in one.items():
                found[name].append(load)
    for name, all_of_it in found.items():
        rate = Spread.of([load.rate for load in all_of_it])
        p50, p99 = (Spread.of([getattr(load, each) for load in all_of_it]) for each in ("p50", "p99"))
        bench.report.latencies.append(Latency(name, rate, p50, p99))
    ones, gets, halves = found[_ONE], found[_REDIS], found[_HALF]
    for name, values, bar in (
        ("one-customer reads / redis-benchmark GET", [a.rate / b.rate for a, b in zip(ones, gets, strict=True)], None),
        (f"one-customer reads / {_READS_A_SECOND:,} a second", [a.rate / _READS_A_SECOND for a in ones], Bar(limit=1)),
        (
            f"p99 at half of that rate / {_MILLISECONDS} ms",
            [a.p99 / _MILLISECONDS for a in halves],
            Bar(limit=1, at_most=True),
        ),
    ):
        bench.report.ratios.append(Ratio(name, Spread.of(values), bar))


def _requests(states: list[State]) -> dict[str, list[str]]:
    """Return the paths of each kind of read."""
    random = Random(1)  # the same paths in each run
    some = [random.choice(states) for _ in range(_PATHS)]
    contents = [orjson.loads(state.document or b"{}") for state in some]
    emails = [each["email"] for each in contents if each.get("email")]
    batches = [",".join(state.id for state in random.sample(states, _BATCH)) for _ in range(_PATHS)]
    return {
        _ONE: [f"/v1/customers/{state.id}" for state in some],
        f"batch of {_BATCH}": [f"/v1/customers?ids={ids}" for ids in batches],
        f"page of {_PAGE}": [f"/v1/customers?updated_since={each['updated_at']}&limit={_PAGE}" for each in contents],
        "lookup by e-mail": [f"/v1/customers/lookup?email={quote(email)}" for email in emails],
    }


def _answered(server: ApiServer, paths: list[str]) -> list[str]:
    """Return the paths, of which the first must be answered with customers.

    Raises:
        RuntimeError: if it is not: a refusal would be measured.
    """
    answer = server.get(paths[0])
    if answer.status_code != requests.codes.ok or b'"version"' not in answer.content:
        raise RuntimeError(f"{paths[0].partition('?')[0]} answers {answer.status_code} without a customer")
    return paths


@contextmanager
def _listeners(server: ApiServer) -> Iterator[None]:
    """Let many listen meanwhile, and require that all of them heard the same."""
    command = [sys.executable, "-m", "benchmarks.listeners", str(server.port), server.key, str(_LISTENERS)]
    with elsewhere():
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with process:
        assert process.stdin is not None
        assert process.stdout is not None
        if process.stdout.readline() != "listening\n":
            raise RuntimeError("not everybody can listen")
        try:
            yield
        except BaseException:
            process.kill()
            raise
        process.stdin.close()
        least, most = process.stdout.readline().split()
    if process.returncode or least != most or not int(least):
        raise RuntimeError(f"between {least} and {most} changes were heard by each of {_LISTENERS}")


@contextmanager
def _changes(bench: Bench) -> Iterator[None]:
    """Change a customer once a second."""
    done = threading.Event()

    def change() -> None:
        number = 0
        while not done.wait(1):
            number += 1
            bench.publisher.publish([_changed(bench.states[-number])])

    thread = threading.Thread(target=change)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _changed(state: State) -> State:
    """Return a customer whom a later walk has found changed."""
    later = f"{state.version[:20]}999999Z/{state.version.partition('/')[2]}"
    document = (state.document or b"").replace(state.version.encode(), later.encode(), 1)
    return state._replace(version=later, document=document)
