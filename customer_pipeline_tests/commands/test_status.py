import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from customer_pipeline import cli, run_tags
from customer_pipeline.cache.loads import Load
from customer_pipeline.commands.status_rendering import text
from customer_pipeline.commands.status_shape import shape
from customer_pipeline.healing.memory import Memory
from customer_pipeline.instance.automation import HEAL_SENSOR, SCHEDULE, Automation, Automations, Daemon, Tick
from customer_pipeline.instance.backfills import Backfill
from customer_pipeline.instance.runs import PipelineRun
from customer_pipeline.instance.status import CacheState, InstanceState, Outage, Status
from customer_pipeline.instance.verdict import verdict
from customer_pipeline.windows import WINDOW_LENGTH, Window
from customer_pipeline_tests.servers import ValkeyServer, free_port

DOCUMENT = Path(__file__).parents[2] / "docs" / "command-line.md"
AT = datetime(2026, 11, 23, 15, 4, tzinfo=UTC)


def window(key: str, length: int = 1) -> Window:
    start = Window.from_key(key).start
    return Window(start, start + length * WINDOW_LENGTH)


def run(name: str, status: str, *, windows: Window | None, failure: str | None = None, **tags: str) -> PipelineRun:
    return PipelineRun(
        id=name * 8,
        status=status,
        windows=windows,
        created=AT - timedelta(minutes=5),
        started=AT - timedelta(minutes=4),
        ended=AT - timedelta(minutes=3) if status != "STARTED" else None,
        tags={**tags, **({run_tags.FAILURE: failure} if failure else {})},
    )


FAILED = run(
    "f", "FAILURE", windows=window("2026-11-23T1450Z"), failure=run_tags.PROVIDER_THROTTLED, **{run_tags.LANE: "live"}
)
EVERYTHING = Status(
    at=AT,
    cache=CacheState(
        as_of=AT - timedelta(hours=3),
        published_at=AT,
        covered=(window("2026-11-23T0000Z", 72), window("2026-11-23T1220Z")),
        gaps=tuple(window(f"2026-11-23T{hour}{minute}0Z") for hour in (12, 13) for minute in range(0, 6, 2)),
        load=Load(as_of="2026-11-22T08:00:00.000000Z", finished_at="2026-11-22T08:05:00.000000Z", source="provider"),
    ),
    instance=InstanceState(
        automations=Automations(
            daemons=(
                Daemon(type="SCHEDULER", healthy=True, heartbeat=AT),
                Daemon(type="BACKFILL", healthy=True, heartbeat=AT - timedelta(minutes=6)),
            ),
            automations=(
                Automation(
                    name=SCHEDULE,
                    kind="schedule",
                    on=True,
                    last=Tick(at=AT, status="SKIPPED", skip_reason="The last 3 live runs failed for good"),
                ),
                Automation(
                    name=HEAL_SENSOR,
                    kind="sensor",
                    on=False,
                    last=None,
                    cursor=Memory(settled=(window("2026-11-23T0900Z", 2),)).dump(),
                ),
            ),
        ),
        ended=(FAILED, run("s", "SUCCESS", windows=None)),
        unfinished=(run("u", "STARTED", windows=window("2026-11-23T1300Z", 3), **{run_tags.LANE: "heal"}),),
        backfills=(Backfill(id="abcdefgh", status="REQUESTED", title="Backfill x", created=AT),),
        outage=Outage(failure=run_tags.PROVIDER_THROTTLED, since=AT, permanent=False, cause="429"),
    ),
)


def members(content: Any) -> Iterator[str]:
    if isinstance(content, dict):
        for name, value in content.items():
            yield name
            yield from members(value)
    elif isinstance(content, list):
        for value in content:
            yield from members(value)


def test_the_screen_shows_everything() -> None:
    said = text(EVERYTHING, verdict(EVERYTHING))

    assert said.startswith("CRITICAL at 2026-11-23 15:04 UTC\n")
    for line in (
        "freshness   as of 2026-11-23 12:04 UTC, 3 h 0 min behind",
        "loaded      from the provider, as of 2026-11-22 08:00 UTC",
        "coverage    2026-11-23T0000Z...2026-11-23T1220Z, 73 windows",
        "gaps        6 windows since 2026-11-23 12:00 UTC, newest first",
        "given up    2 windows, for a person to look at",
        "            2026-11-23T0900Z...2026-11-23T0910Z, 2 windows",
        "provider    throttled since 2026-11-23 14:59 UTC; heals by itself when a later tick succeeds",
        "daemon      BACKFILL last heard of 2026-11-23 14:58 UTC",
        f"schedule    {SCHEDULE} on, skipped at 2026-11-23 15:04 UTC: The last 3 live runs failed for good",
        f"sensor      {HEAL_SENSOR} OFF",
        "in progress started heal 2026-11-23T1300Z...2026-11-23T1320Z",
        "            backfill abcdefgh (Backfill x)",
    ):
        assert f"\n{line}\n" in said, line
    assert re.search(
        r"\nf{8}  live +2026-11-23T1450Z  failure \(provider_throttled\)  2026-11-23 15:01 UTC  60.0 s\n", said
    )
    assert re.search(r"\ns{8}  person +- +success +2026-11-23 15:01 UTC  60.0 s$", said)
    assert max(map(len, said.splitlines())) <= 120


def test_the_newest_ten_gaps_are_shown_and_the_rest_counted() -> None:
    gaps = tuple(Window(AT + 2 * number * WINDOW_LENGTH, AT + (2 * number + 1) * WINDOW_LENGTH) for number in range(12))
    status = Status(at=AT, cache=CacheState(as_of=AT, published_at=AT, covered=(), gaps=gaps), instance=None)

    lines = text(status, verdict(status)).splitlines()

    assert sum(line.endswith(", 1 window") for line in lines) == 10
    assert lines[-1].strip() == "and 2 more ranges"


def test_the_json_has_a_member_for_everything() -> None:
    content = shape(EVERYTHING, verdict(EVERYTHING))

    assert json.loads(orjson.dumps(content)) == content
    assert (content["level"], content["exit_code"]) == ("critical", 2)
    assert content["coverage"]["gaps"][0]["start"] == "2026-11-23T13:40:00.000000Z"
    assert content["given_up"] == [{"start": "2026-11-23T09:00:00.000000Z", "end": "2026-11-23T09:20:00.000000Z"}]
    assert content["provider"]["state"] == "failing"
    assert [daemon["healthy"] for daemon in content["daemons"]] == [True, False]
    assert content["runs"][0]["seconds"] == 60.0


def test_every_member_of_the_json_is_documented() -> None:
    documented = set(re.findall(r"[`\"]([a-z_]+)[`\"]", DOCUMENT.read_text()))

    assert set(members(shape(EVERYTHING, verdict(EVERYTHING)))) <= documented


def test_the_json_has_the_same_members_when_nothing_answers() -> None:
    silent = Status(at=AT, cache=None, cache_problem="x", instance=None, instance_problem="y")

    content = shape(silent, verdict(silent))

    assert content.keys() == shape(EVERYTHING, verdict(EVERYTHING)).keys()
    assert (content["exit_code"], content["problems"]) == (3, {"cache": "x", "instance": "y"})
    assert content["freshness"] is content["runs"] is None


@pytest.fixture
def _settings(valkey: ValkeyServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUSTOMER_PIPELINE_HOME", str(tmp_path))
    monkeypatch.setenv("REDIS_URL", valkey.url.replace("redis://", "redis://default:secret-of-redis@"))
    monkeypatch.setenv("LANDING_URI", tmp_path.as_uri())
    monkeypatch.delenv("DAGSTER_HOME", raising=False)


@pytest.mark.usefixtures("_settings")
def test_the_cache_is_shown_though_the_webserver_does_not_answer(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, valkey: ValkeyServer
) -> None:
    monkeypatch.setenv("REDIS_URL", valkey.url)

    code = cli.main(["status", "--url", f"http://127.0.0.1:{free_port()}"])

    said = capsys.readouterr().out
    # Nothing was ever published, which is known to be critical.
    assert code == 2
    assert "the webserver at http://127.0.0.1:" in said
    assert "freshness   nothing was published yet" in said
    assert "daemon" not in said


@pytest.mark.usefixtures("_settings")
@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("REDIS_URL", "redis://u:secret-of-redis@127.0.0.1:9/0", "REDIS_URL (redis://u:***@127.0.0.1:9/0): the cache"),
        ("REDIS_URL", "memcached://u:secret-of-redis@host", "REDIS_URL: has another scheme"),
        ("CUSTOMER_PIPELINE_START", "", "CUSTOMER_PIPELINE_START: is not set"),
        ("DAGSTER_WEBSERVER_URL", "ftp://u:secret-of-redis@host", "DAGSTER_WEBSERVER_URL: has another scheme"),
    ],
)
def test_what_cannot_be_asked_is_unknown_and_named_without_a_secret(
    name: str, value: str, problem: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAGSTER_WEBSERVER_URL", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv(name, value)

    assert cli.main(["status", "--json"]) == 3

    said = capsys.readouterr().out
    content = json.loads(said)
    assert problem in content["problems"]["cache"]
    assert content["problems"]["instance"]
    assert "secret-of-redis" not in said
