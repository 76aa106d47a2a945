"""The measurement of a range: what several windows at the same time give, and what counting requests costs."""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

from benchmarks.bench import Bench
from benchmarks.inputs import WINDOW, Sandbox, sandbox_profile
from benchmarks.report import Bar, Ratio, Speed
from benchmarks.rig import interleave, rates, ratios, timed
from customer_pipeline.landing.store import LandingStore
from customer_pipeline.provider.client import ProviderClient
from customer_pipeline.provider.profile import Profile
from customer_pipeline.ranges import ingestions
from customer_pipeline.request_budget.budget import open_budget
from customer_pipeline.sandbox.control import set_fault
from customer_pipeline.windows import WINDOW_LENGTH, Window, split

WINDOWS = 48
RANGE = Window(WINDOW.start, WINDOW.start + WINDOWS * WINDOW_LENGTH)
_LATENCY_SECONDS = 0.05
_PERMITS = 1000
_UNCOUNTED = "range, 1 window at a time, no limits"


def parallel(bench: Bench) -> None:
    """Ingest a range from a provider that takes its time, with more and more requests at once."""
    records = bench.sizes.range
    sandbox = Sandbox(bench.folder / "range", customers=records, span=RANGE)
    bench.serve(sandbox)
    set_fault(sandbox.environment["SANDBOX_URL"], "slow", seconds=str(_LATENCY_SECONDS), chunks="1", pause="0")
    counted = {count: f"range, {count} at the same time, counted" for count in (1, 2, 4, 8)}
    sides = {_UNCOUNTED: partial(_ingest, bench, sandbox, None)}
    sides |= {name: partial(_ingest, bench, sandbox, count) for count, name in counted.items()}
    seconds = interleave(sides, rounds=bench.sizes.rounds)
    bench.report.speeds.extend(Speed(name, records, rates(records, taken)) for name, taken in seconds.items())
    one = seconds[counted[1]]
    for count, bar in ((2, None), (4, Bar(limit=1.5)), (8, None)):
        ratio = Ratio(f"range, {count} at the same time / 1", ratios(one, seconds[counted[count]]), bar)
        bench.report.ratios.append(ratio)
    cost = ratios(one, seconds[_UNCOUNTED])
    bench.report.ratios.append(Ratio("range, time with requests counted / not", cost, Bar(limit=1.25, at_most=True)))
    permits = interleave({"permits, taken and given back": partial(_permits, bench)}, rounds=bench.sizes.rounds)
    bench.report.speeds.extend(Speed(name, _PERMITS, rates(_PERMITS, taken)) for name, taken in permits.items())


def _profile(concurrent: int | None) -> Profile:
    """Return the sandbox's profile with limits that nobody meets but by asking at the same time."""
    document = sandbox_profile().model_dump(by_alias=True, exclude={"limits"})
    if concurrent is not None:
        document["limits"] = {"requests": 1_000_000, "period": "1m", "concurrent": concurrent}
    return Profile.model_validate(document)


@contextmanager
def _clients(bench: Bench, sandbox: Sandbox, profile: Profile) -> Iterator[list[ProviderClient]]:
    with (
        open_budget(profile, url=bench.valkey.url, prefix="customer", background=False) as permits,
        ExitStack() as stack,
    ):
        count = profile.limits.at_once(background=False)
        opened = [ProviderClient(profile, sandbox.environment, permits=permits) for _ in range(count)]
        yield [stack.enter_context(client) for client in opened]


def _ingest(bench: Bench, sandbox: Sandbox, concurrent: int | None) -> float:
    folder = bench.folder / "range-landing"
    landing = LandingStore(folder.as_uri())
    windows = list(split(RANGE.start, RANGE.end))
    received = 0

    def run() -> None:
        nonlocal received
        with (
            _clients(bench, sandbox, _profile(concurrent)) as clients,
            ingestions(windows, clients=clients, landing=landing) as under_way,
        ):
            received = sum(report().walk.rows for _, report in under_way)

    try:
        seconds = timed(run)
    finally:
        shutil.rmtree(folder)
    # Each window but the first fetches the last five minutes before it once more.
    if not bench.sizes.range <= received < 2 * bench.sizes.range:
        raise RuntimeError(f"{received} records were received of {bench.sizes.range} customers")
    return seconds


def _permits(bench: Bench) -> float:
    with open_budget(_profile(4), url=bench.valkey.url, prefix="customer", background=False) as permits:

        def run() -> None:
            for _ in range(_PERMITS):
                with permits.permit():
                    pass

        return timed(run)
