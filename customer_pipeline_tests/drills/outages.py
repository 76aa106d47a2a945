"""Outages over many windows: the provider's in all its forms, the daemon's, and one of three days."""

import statistics
import time

from customer_pipeline.windows import Window
from customer_pipeline_tests.drills.drilling import Drilling, whole
from customer_pipeline_tests.drills.faults import PROVIDER, daemon_killed
from customer_pipeline_tests.drills.instance import DrilledRun
from customer_pipeline_tests.drills.stack import newest_window

OUTAGE_WINDOWS = 42
DAEMON_WINDOWS = 12
THREE_DAYS = 432
BASELINE = 2
MOST_HEAL_RUNS = 3
LONGEST_HEAL_SECONDS = 180.0
LIVE_TICKS = 6
LONGEST_LIVE_DELAY_SECONDS = 60.0


def provider_outage(drill: Drilling, name: str) -> None:
    """The provider fails over 42 windows in one way, then is back."""
    drill.changes.fill(drill.past, changes=150)
    drill.succeed(whole(drill.past[:BASELINE]))
    down = drill.past[BASELINE : BASELINE + OUTAGE_WINDOWS]
    with PROVIDER[name](drill.stack):
        drill.outage(down)
        drill.wait_for_alert("outage_started")
    drill.watch(drill.tick())
    _judge(drill)
    drill.wait_for_alert("outage_healed")
    drill.wait_for_alert("outage_started")


def daemon_outage(drill: Drilling) -> None:
    """The daemon is away for twelve windows: their ticks never happen."""
    drill.changes.fill(drill.past, changes=80)
    drill.succeed(whole(drill.past[:BASELINE]))
    with daemon_killed(drill.stack):
        time.sleep(2)
    drill.watch(drill.tick())
    _judge(drill)


def three_days(drill: Drilling) -> None:
    """432 windows are missing while live ticks go on: what a tick takes, with and without the heal."""
    drill.changes.fill(drill.past, changes=1500)
    drill.succeed(whole(drill.past[:BASELINE]))
    # Older than the newest two, so that no tick of these proves that the provider is back.
    older = drill.past[-3]
    without = [_latency(drill, older) for _ in range(LIVE_TICKS)]
    since = drill.tick()
    during: list[float] = []
    while len(during) < LIVE_TICKS * 4 and any(run.lane == "heal" for run in _soon_unfinished(drill)):
        during.append(_latency(drill, newest_window()))
    drill.watch(since)
    drill.note(f"a live tick without heal: median {statistics.median(without):.1f} s, at most {max(without):.1f} s")
    drill.expect(bool(during), "no tick was measured during the heal")
    if during:
        drill.note(
            f"during it: median {statistics.median(during):.1f} s, at most {max(during):.1f} s, {len(during)} ticks"
        )
        later = max(during) - statistics.median(without)
        drill.expect(later <= LONGEST_LIVE_DELAY_SECONDS, f"a live tick was {later:.0f} s later during the heal")
    drill.expect(drill.seen.heal_seconds is not None, "the gaps were not healed")


def _latency(drill: Drilling, window: Window) -> float:
    """Return the seconds from the request of a live run to its publication."""
    (run,) = drill.live(window)
    drill.expect(run.status == "SUCCESS", f"a live run is {run.status}")
    return (run.ended - run.created).total_seconds() if run.ended else float("inf")


def _soon_unfinished(drill: Drilling) -> list[DrilledRun]:
    """Return the runs under way; between two evaluations of the heal there may be none for a while."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        unfinished = drill.instance.unfinished()
        if any(run.lane == "heal" for run in unfinished):
            return unfinished
        if not drill.gaps():
            return []
        time.sleep(0.5)
    return []


def _judge(drill: Drilling) -> None:
    seen = drill.seen
    drill.expect(seen.heal_runs <= MOST_HEAL_RUNS, f"{seen.heal_runs} heal runs are more than {MOST_HEAL_RUNS}")
    drill.expect(
        seen.heal_seconds is not None and seen.heal_seconds <= LONGEST_HEAL_SECONDS,
        f"healed after {seen.heal_seconds} s, which is more than {LONGEST_HEAL_SECONDS} s",
    )
