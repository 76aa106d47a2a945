"""Backfill and status, as typed in another terminal, on one real stack.

Each story is told once, by a fixture, and takes half a minute at least: Dagster looks at its backfills twice a minute.
"""

import contextlib
import json
import re
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from customer_pipeline import run_tags
from customer_pipeline.dev.environment import Ports
from customer_pipeline.dev.home import Home
from customer_pipeline.instance.runs import ASSETS
from customer_pipeline.timestamps import format_instant, now
from customer_pipeline.windows import WINDOW_LENGTH, Window, floor
from customer_pipeline_tests.dev.test_stack import Life, command, environment, life
from customer_pipeline_tests.drills.leaks import leaks
from customer_pipeline_tests.servers import free_port, wait_until

TIMEOUT_SECONDS = 180.0
_RUNS = """query($filter: RunsFilter!) { runsOrError(filter: $filter) { ... on Runs { results {
  runId status assetSelection { path } tags { key value } } } } }"""
_BACKFILL = """query($id: String!) { partitionBackfillOrError(backfillId: $id) { ... on PartitionBackfill {
  title status tags { key value } } } }"""


@dataclass
class Stack:
    """A stack that runs, and the range of windows that this file backfills."""

    life: Life
    windows: Window
    folder: Path
    typed: int = 0

    def start(self, *arguments: str) -> "Typed":
        self.typed += 1
        output = self.folder / f"{self.typed}.out"
        with output.open("w") as file:
            process = subprocess.Popen(
                command(*arguments),
                env=environment(self.life.home),
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return Typed(process, output)

    def run(self, *arguments: str) -> "Typed":
        return self.start(*arguments).end()

    def bounds(self, first: int, last: int) -> list[str]:
        """Return START and END, in whole windows from the range's start, in both forms that can be written."""
        start, end = (self.windows.start + number * WINDOW_LENGTH for number in (first, last))
        return [Window(start, start + WINDOW_LENGTH).key, end.isoformat()]

    def ask(self, query: str, **variables: Any) -> Any:
        answer = requests.post(
            f"{self.life.ports.ui_url}/graphql", json={"query": query, "variables": variables}, timeout=60
        ).json()
        assert "errors" not in answer, answer
        return answer["data"]

    def runs(self, backfill: str) -> list[dict[str, Any]]:
        tags = [{"key": "dagster/backfill", "value": backfill}]
        results = self.ask(_RUNS, filter={"tags": tags})["runsOrError"]["results"]
        return [
            {
                "status": run["status"],
                "assets": {key["path"][-1] for key in run["assetSelection"]},
                "tags": {tag["key"]: tag["value"] for tag in run["tags"]},
            }
            for run in results
        ]

    def tags(self, backfill: str) -> dict[str, str]:
        content = self.ask(_BACKFILL, id=backfill)["partitionBackfillOrError"]
        return {tag["key"]: tag["value"] for tag in content["tags"]}


@dataclass
class Typed:
    """A command that was typed, and what it has printed so far."""

    process: subprocess.Popen[bytes]
    output: Path

    @property
    def said(self) -> str:
        return self.output.read_text()

    @property
    def code(self) -> int | None:
        return self.process.returncode

    @property
    def backfill(self) -> str:
        """The id of the backfill that it watches."""
        found = re.search(r"^http://[0-9.:]+/runs/b/(\w+)$", self.said, re.MULTILINE)
        assert found, self.said
        return found[1]

    def wait_for(self, text: str) -> None:
        wait_until(lambda: text in self.said, what=f"{text!r} in {self.said!r}", timeout=TIMEOUT_SECONDS)

    def end(self) -> "Typed":
        self.process.wait(timeout=TIMEOUT_SECONDS)
        return self


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("commands")
    home = folder / "home"
    home.mkdir()
    start = floor(now() - timedelta(hours=2))
    (home / "start").write_text(format_instant(start) + "\n")
    ports = Ports(ui=free_port(), cache=free_port(), provider=free_port(), api=free_port())
    with life(home, ports, name="stack") as one:
        one.wait_for("the cache has every window")
        yield Stack(life=one, windows=Window(start, start + timedelta(hours=2)), folder=folder)


@pytest.fixture(scope="module")
def well(stack: Stack) -> dict[str, Typed]:
    """Status while all is well."""

    def daemons_were_heard_of() -> bool:
        return stack.run("status").code == 0

    wait_until(daemons_were_heard_of, what="a status that is well", timeout=TIMEOUT_SECONDS)
    return {"screen": stack.run("status"), "json": stack.run("status", "--json")}


def test_status_shows_a_stack_that_is_well(stack: Stack, well: dict[str, Typed]) -> None:
    said = well["screen"].said

    assert said.startswith("OK at ")
    for pattern in (
        r"freshness   as of .* behind",
        rf"coverage    {stack.windows.key}\.\.\..* 1[2-9] windows",
        "gaps        none",
        "provider    (up, answered at|not asked lately)",
        "daemon      healthy",
        "schedule    customer_sync_schedule on",
        "sensor      heal_gaps on",
        r"(heal|live|person) +2026-",
    ):
        assert re.search(pattern, said), (pattern, said)


def test_status_as_json_says_the_same(well: dict[str, Typed]) -> None:
    content = json.loads(well["json"].said)

    assert (well["json"].code, content["exit_code"], content["level"], content["reasons"]) == (0, 0, "ok", [])
    assert content["coverage"]["gap_windows"] == 0
    assert {run["status"] for run in content["runs"]} == {"SUCCESS"}
    assert "SCHEDULER" in {daemon["type"] for daemon in content["daemons"]}


@pytest.fixture(scope="module")
def interrupted(stack: Stack) -> dict[str, Typed]:
    """A backfill whose watcher is interrupted, watched again by the same command, and asked for once more."""
    typed = ["backfill", *stack.bounds(0, 6)]
    first = stack.start(*typed)
    first.wait_for("of 6 windows done")
    first.process.send_signal(signal.SIGINT)
    return {"first": first.end(), "second": stack.run(*typed)}


def test_ctrl_c_ends_the_watching_alone(interrupted: dict[str, Typed]) -> None:
    first = interrupted["first"]

    assert first.code == 130
    assert first.said.endswith("the backfill goes on: the same command watches it again, the UI can cancel it\n")
    assert "Traceback" not in first.said


def test_the_same_command_attaches_and_ends_with_the_outcome(interrupted: dict[str, Typed]) -> None:
    first, second = interrupted["first"], interrupted["second"]

    assert f"backfill {first.backfill} of this range goes on since " in second.said
    assert second.backfill == first.backfill
    assert second.said.endswith(f"backfill {first.backfill} has published 6 of 6 windows\n")
    assert second.code == 0


def test_a_backfill_is_one_range_of_all_assets_between_live_and_heal(
    stack: Stack, interrupted: dict[str, Typed]
) -> None:
    (run,) = stack.runs(interrupted["first"].backfill)

    assert run["assets"] == set(ASSETS)
    assert (run["tags"][run_tags.RANGE_START], run["tags"][run_tags.RANGE_END]) == (
        stack.windows.key,
        Window(stack.windows.start + 5 * WINDOW_LENGTH, stack.windows.start + 6 * WINDOW_LENGTH).key,
    )
    # Neither a lane nor a priority: zero, which is below a live run's and above a heal's.
    assert not {run_tags.LANE, run_tags.PRIORITY} & run["tags"].keys()
    end = Window(stack.windows.start + 6 * WINDOW_LENGTH, stack.windows.start + 7 * WINDOW_LENGTH).key
    assert run["tags"][run_tags.BACKFILL] == f"{stack.windows.key}..{end}"


@pytest.fixture(scope="module")
def failed(stack: Stack, interrupted: dict[str, Typed]) -> dict[str, Typed]:
    """A backfill that fails while the provider refuses, then while the cache does, then does what is left of it.

    Beside the first one the landing store is replayed.
    """
    assert interrupted["second"].code == 0
    typed = ["backfill", *stack.bounds(6, 9)]
    stack.run("sandbox", "fault", "expired_token")
    replay = stack.start("backfill", *stack.bounds(0, 6), "--replay")
    refused = stack.run(*typed)
    replay.end()
    stack.run("sandbox", "clear")
    with stack.life.cache() as cache, kept(cache, "customers:coverage"):
        cache.set("customers:coverage", "what another wrote")
        unpublished = stack.start(*typed)
        broken = stack.run("status")
        unpublished.end()
    return {
        "replay": replay,
        "refused": refused,
        "status": broken,
        "unpublished": unpublished,
        "mended": stack.run(*typed),
    }


@contextlib.contextmanager
def kept(cache: Any, key: str) -> Iterator[None]:
    value = cache.get(key)
    try:
        yield
    finally:
        cache.set(key, value)


def test_a_replay_does_not_ask_a_provider_that_refuses(stack: Stack, failed: dict[str, Typed]) -> None:
    (run,) = stack.runs(failed["replay"].backfill)

    assert failed["replay"].code == 0
    assert run["assets"] == set(ASSETS) - {"raw_customers"}
    assert run["tags"][run_tags.BACKFILL].endswith(" replay")


def test_a_failure_is_explained_with_a_link_and_exit_code_1(stack: Stack, failed: dict[str, Typed]) -> None:
    refused = failed["refused"]

    assert refused.code == 1
    assert f"backfill {refused.backfill} ended as COMPLETED_FAILED: 0 of 3 windows done, 3 failed\n" in refused.said
    assert re.search(
        r"^  run \w{8} \(\S+\.\.\.\S+\): .*the provider refuses the credentials", refused.said, re.MULTILINE
    )
    assert f"  {stack.life.ports.ui_url}/runs/b/{refused.backfill}\n" in refused.said
    assert "Traceback" not in refused.said


def test_the_same_command_does_what_is_left_of_a_failed_one(stack: Stack, failed: dict[str, Typed]) -> None:
    refused, unpublished = failed["refused"], failed["unpublished"]

    assert f"backfill {refused.backfill} of " in unpublished.said
    assert f"left 3 of 3 windows undone: {unpublished.backfill} makes up for it\n" in unpublished.said
    assert stack.tags(unpublished.backfill)["dagster/parent_backfill_id"] == refused.backfill
    assert unpublished.code == 1
    assert "holds something that this pipeline did not write" in unpublished.said


def test_only_what_failed_is_done_again(stack: Stack, failed: dict[str, Typed]) -> None:
    runs = stack.runs(failed["mended"].backfill)

    assert failed["mended"].code == 0
    assert failed["mended"].said.endswith("has published 3 of 3 windows\n")
    assert {asset for run in runs for asset in run["assets"]} == {"customer_cache"}


def test_status_shows_the_instance_while_the_cache_does_not_tell(failed: dict[str, Typed]) -> None:
    said = failed["status"].said

    assert failed["status"].code in {2, 3}
    assert "customers:coverage holds something that this pipeline did not write" in said
    assert "daemon      healthy" in said
    assert "freshness" not in said


def test_a_reader_that_goes_away_is_no_failure(stack: Stack) -> None:
    process = subprocess.Popen(
        command("status"), env=environment(stack.life.home), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout
    process.stdout.close()
    assert process.stderr

    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait(timeout=60) in {0, 1, 2}


def test_an_erasure_is_done_by_the_job_and_proven_by_the_command(stack: Stack) -> None:
    with stack.life.cache() as client:
        name = client.zrange("customers:by_updated_at", 0, 0)[0].decode()
        document = client.getdel(f"customer:{{{name}}}")
        assert stack.run("reconcile", "--check").code == 1
        client.set(f"customer:{{{name}}}", document)

    typed = stack.run("erase", name, "--yes", "--by", "officer@desk")

    assert typed.code == 0, typed.said
    for pattern in (
        r"^[0-9a-f]{8}-[0-9a-f]{32} is suppressed from now on, by officer@desk$",
        r"^http://[0-9.:]+/runs/[0-9a-f-]{36}$",
        r"^the job has erased the customer: its counts are on that page$",
        r"^removed besides: nothing; two passes over everything found nothing more$",
        r"^the id is taken out of the sample of 1 reconciliation in Dagster's history$",
        r"^no trace of [0-9a-f]{8}-[0-9a-f]{32} is left in cache, landing store, Dagster's storage and compute logs$",
    ):
        assert re.search(pattern, typed.said, re.MULTILINE), (pattern, typed.said)
    with stack.life.cache() as client:
        assert not client.exists(f"customer:{{{name}}}", f"customer:{{{name}}}:tombstone")
        assert client.zscore("customers:by_updated_at", name) is None
        entries = [*client.zrange("customers:by_email", 0, -1), *client.zrange("customers:by_phone", 0, -1)]
        assert entries
        assert not [entry for entry in entries if entry.endswith(f"\n{name}".encode())]
        changed = {fields[b"id"] for _, fields in client.xrange("customers:changes")}
        assert changed
        assert name.encode() not in changed
    home = Home(stack.life.home)
    assert leaks([name], [home.dagster, home.logs], but={"provider.log"}, free_pages=False) == []
