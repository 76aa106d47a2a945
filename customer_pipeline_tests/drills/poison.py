"""Records and windows that nobody can ingest, and credentials that are refused."""

import time
from datetime import UTC, datetime, timedelta

from customer_pipeline import run_tags
from customer_pipeline.timestamps import format_instant
from customer_pipeline_tests.drills.drilling import Drilling, whole
from customer_pipeline_tests.drills.faults import provider_fault
from customer_pipeline_tests.servers import SandboxServer

WINDOWS = 12
BASELINE = 2
GIVEN_UP_SECONDS = 2400.0
ALERT_SECONDS = 120.0


def poison_record(drill: Drilling) -> None:
    """Windows hold records without an id, without a time, and no object at all: quarantined, the rest is published."""
    drill.changes.fill(drill.past, changes=60)
    drill.changes.poison(drill.past[4])
    drill.succeed(whole(drill.past[:BASELINE]))
    drill.watch(drill.tick())
    quarantined = drill.stack.home.landing.glob("quarantined_customers/*/*.parquet")
    drill.note(f"{sum(1 for _ in quarantined)} windows looked at for quarantine")


def poison_window(drill: Drilling, fault: str) -> None:
    """One window fails whatever is tried: it is given up with an alert, the rest heals; then it is mended."""
    drill.changes.fill(drill.past, changes=60)
    drill.succeed(whole(drill.past[:BASELINE]))
    bad = drill.past[6]
    # Beyond the reach of the next window's lookback.
    with provider_fault(fault, holding=format_instant(bad.start + timedelta(minutes=2)))(drill.stack):
        since = drill.tick()
        drill.watch(since, accepted=[bad])
        drill.note(f"all but the window healed after {drill.seen.heal_seconds or -1:.0f} s")
        drill.expect(drill.seen.heal_seconds is not None, "the other windows were not healed")
        drill.wait_for_alert("windows_given_up", seconds=GIVEN_UP_SECONDS)
        drill.note(f"given up {(time.time() - since.timestamp()):.0f} s after the first tick")
    drill.succeed(bad)
    drill.watch(since)


def refused_credentials(drill: Drilling) -> None:
    """The provider answers 401 from now on; the schedule's own ticks show what follows, before and after the cure."""
    drill.changes.fill(drill.past, changes=60)
    drill.succeed(whole(drill.past[:BASELINE]))
    drill.stack.restart_code_server(SANDBOX_TOKEN="the-old-secret")
    for window in drill.past[BASELINE : BASELINE + 3]:
        drill.fail(window)
    refused = [run for run in drill.instance.runs() if run.status == "FAILURE"]
    drill.expect(
        all(run.tags.get(run_tags.PERMANENT) == "true" for run in refused), "a refusal was not said to be permanent"
    )
    drill.expect(not any("dagster/parent_run_id" in run.tags for run in refused), "a refused run was retried")
    drill.wait_for_alert("outage_started")
    tick = drill.next_tick_of_the_schedule()
    drill.expect(tick["status"] == "SKIPPED", f"the next tick is {tick['status']}")
    drill.note(f"the schedule's next tick: {tick['status']}, {tick['skipReason']!r}")
    drill.stack.restart_code_server(SANDBOX_TOKEN=SandboxServer.TOKEN)
    tick = drill.next_tick_of_the_schedule()
    drill.note(f"its first one after the correction: {tick['status']}")
    drill.expect(tick["status"] == "SUCCESS", f"the tick after the correction is {tick['status']}")
    drill.watch(datetime.fromtimestamp(tick["timestamp"], UTC))
    drill.wait_for_alert("outage_healed")
