"""Records and windows that nobody can ingest, and credentials that are refused."""

import time
from datetime import timedelta

from customer_pipeline.timestamps import format_instant
from customer_pipeline_tests.drills.drilling import Drilling, whole
from customer_pipeline_tests.drills.faults import provider_fault

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
    drill.wait_for_alert("outage_healed", seconds=ALERT_SECONDS)


def refused_credentials(drill: Drilling) -> None:
    """The provider answers 401 from now on; the secret is corrected, and the code server started anew with it."""
    drill.changes.fill(drill.past, changes=60)
    drill.succeed(whole(drill.past[:BASELINE]))
    drill.stack.restart_code_server(SANDBOX_TOKEN="the-old-secret")
    for window in drill.past[BASELINE : BASELINE + 3]:
        started = time.monotonic()
        drill.fail(window)
        drill.note(f"refused after {time.monotonic() - started:.0f} s")
    runs = [run for run in drill.instance.runs() if run.status == "FAILURE"]
    permanent = [run for run in runs if run.tags.get("customer_pipeline/permanent") == "true"]
    drill.expect(len(permanent) == len(runs), f"{len(runs) - len(permanent)} failures are not permanent")
    drill.expect(all("dagster/retry_number" not in run.tags for run in runs), "a refused run was retried")
    drill.wait_for_alert("outage_started", seconds=ALERT_SECONDS)
    drill.stack.restart_code_server(SANDBOX_TOKEN="sandbox-token")
    drill.watch(drill.tick())
    drill.wait_for_alert("outage_healed", seconds=ALERT_SECONDS)
