"""The whole stack, started twice on one home: ended by Ctrl-C the first time, by a killed service the second time."""

import contextlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import jsonschema
import psutil
import pytest
import redis
import requests

from customer_pipeline.cache.keys import CacheKeys
from customer_pipeline.dev.environment import Ports
from customer_pipeline.dev.stack import LINEAGE
from customer_pipeline.schemas import customer_schema
from customer_pipeline.timestamps import format_instant, now
from customer_pipeline.windows import floor
from customer_pipeline_tests.servers import free_port, wait_until

TIMEOUT_SECONDS = 180.0
ASSETS = {
    "raw_customers",
    "customers",
    "quarantined_customers",
    "customer_cache",
    "customer_snapshot",
    "pipeline_health",
}
# Where its README has the example page served.
EXAMPLE_PAGE = "http://localhost:8000"
SETTINGS = re.compile("(API|CUSTOMER_PIPELINE|DAGSTER|LANDING|PROVIDER|REDIS|SANDBOX)_.*")


@dataclass
class Life:
    """One run of `customer-pipeline dev` and what was seen of it."""

    home: Path
    ports: Ports
    process: subprocess.Popen[str]
    output: Path
    errors: Path
    family: set[psutil.Process] = field(default_factory=set)
    seen: dict[str, Any] = field(default_factory=dict)

    def cache(self) -> redis.Redis:
        return redis.Redis.from_url(self.ports.cache_url)

    def customers(self) -> int:
        with self.cache() as client:
            return int(client.zcard("customers:by_updated_at"))

    def load(self) -> bytes | None:
        """What the cache knows of its load: when it was, and how many customers it brought."""
        with self.cache() as client:
            return cast("bytes | None", client.get(CacheKeys().snapshot))

    def said(self) -> str:
        return self.output.read_text()

    def wait_for(self, text: str) -> None:
        def arrived() -> bool:
            if self.process.poll() is not None:
                raise RuntimeError(f"ended early: {self.said()}{self.errors.read_text()}")
            return text in self.said()

        wait_until(arrived, what=f"{text!r} in the output", timeout=TIMEOUT_SECONDS)

    def materialized_assets(self) -> set[str]:
        nodes = "nodes { key { path } assetMaterializations(limit: 1) { runId } }"
        query = f"{{ assetsOrError {{ ... on AssetConnection {{ {nodes} }} }} }}"
        answer = requests.post(f"{self.ports.ui_url}/graphql", json={"query": query}, timeout=60).json()
        return {
            node["key"]["path"][-1]
            for node in answer["data"]["assetsOrError"]["nodes"]
            if node["assetMaterializations"]
        }

    def remember_family(self) -> None:
        self.family |= set(psutil.Process(self.process.pid).children(recursive=True))

    def left(self) -> list[psutil.Process]:
        return [child for child in self.family if child.is_running() and child.status() != psutil.STATUS_ZOMBIE]


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "customer_pipeline.cli", *arguments]


def environment(home: Path) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not SETTINGS.fullmatch(name)}
    return inherited | {"CUSTOMER_PIPELINE_HOME": str(home)}


@contextlib.contextmanager
def life(home: Path, ports: Ports, *, name: str) -> Iterator[Life]:
    """Start a stack as a terminal does: in a foreground group of its own."""
    output, errors = home.parent / f"{name}.out", home.parent / f"{name}.err"
    chosen = ["--port", str(ports.ui), "--cache-port", str(ports.cache)]
    chosen += ["--provider-port", str(ports.provider), "--api-port", str(ports.api)]
    with output.open("w") as out, errors.open("w") as err:
        process = subprocess.Popen(
            command("dev", *chosen),
            stdout=out,
            stderr=err,
            text=True,
            env=environment(home),
            start_new_session=True,
        )
    one = Life(home=home, ports=ports, process=process, output=output, errors=errors)
    try:
        yield one
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(timeout=60)


def ask(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*arguments), env=environment(home), capture_output=True, text=True, timeout=60, check=False
    )


def pages(url: str, *, headers: dict[str, str]) -> Iterator[requests.Response]:
    """Read every page of customers."""
    query = ""
    while True:
        page = requests.get(f"{url}{query}", headers=headers, timeout=60)
        page.raise_for_status()
        yield page
        if page.json()["next"] is None:
            return
        query = f"&cursor={page.json()['next']}"


@pytest.fixture(scope="module")
def first_life(tmp_path_factory: pytest.TempPathFactory) -> Life:
    home = tmp_path_factory.mktemp("a stack") / "its home"
    home.mkdir()
    # Two hours of history instead of a day: planning the runs is what takes long.
    (home / "start").write_text(format_instant(floor(now() - timedelta(hours=2))) + "\n")
    ports = Ports(ui=free_port(), cache=free_port(), provider=free_port(), api=free_port())
    with life(home, ports, name="first") as one:
        one.wait_for("the cache has every window")
        one.remember_family()
        # The health is reported some seconds after a run.
        wait_until(lambda: one.materialized_assets() == ASSETS, what="the last asset", timeout=TIMEOUT_SECONDS)
        one.seen["assets"] = one.materialized_assets()
        one.seen["customers"] = one.customers()
        one.seen["load"] = one.load()
        one.seen["lineage"] = requests.get(f"{ports.ui_url}{LINEAGE}", timeout=60)
        one.seen["second dev"] = ask(home, "dev", "--port", str(free_port()))
        one.seen["fault"] = ask(home, "sandbox", "fault", "down", "--for", "15m")
        one.seen["clear"] = ask(home, "sandbox", "clear")
        key = re.findall(r"its key +(ck_\S+)", one.said())[0]
        customers = f"{ports.api_url}/v1/customers?limit=500"
        browser = {"Authorization": f"Bearer {key}", "Origin": EXAMPLE_PAGE}
        one.seen["pages"] = list(pages(customers, headers=browser))
        one.seen["page without key"] = requests.get(customers, timeout=60)
        one.seen["reference"] = requests.get(f"{ports.api_url}/docs", timeout=60)
        one.remember_family()
        os.killpg(one.process.pid, signal.SIGINT)
        one.process.wait(timeout=60)
    return one


@pytest.fixture(scope="module")
def second_life(first_life: Life) -> Life:
    with life(first_life.home, first_life.ports, name="second") as one:

        def cache_answers() -> bool:
            with contextlib.suppress(redis.ConnectionError, redis.BusyLoadingError):
                one.seen["customers"], one.seen["load"] = one.customers(), one.load()
            return "load" in one.seen

        wait_until(cache_answers, what="the second cache", timeout=TIMEOUT_SECONDS)
        one.wait_for("open first")
        one.remember_family()
        (cache,) = [child for child in one.family if "valkey" in child.name()]
        cache.kill()
        one.process.wait(timeout=60)
    return one


def test_the_first_customers_are_in_the_cache_without_a_click(first_life: Life) -> None:
    assert first_life.seen["customers"] > 0


def test_the_read_api_serves_them_valid_with_the_key_that_was_printed(first_life: Life) -> None:
    validator = jsonschema.Draft202012Validator(customer_schema())
    ids = set()
    for page in first_life.seen["pages"]:
        assert page.headers["Customers-As-Of"]
        assert page.headers["Access-Control-Allow-Origin"] == EXAMPLE_PAGE
        for customer in page.json()["customers"]:
            validator.validate(customer)
            ids.add(customer["id"])
    assert len(ids) >= first_life.seen["customers"] > 0
    assert first_life.seen["page without key"].status_code == 401
    assert first_life.seen["reference"].ok
    assert f"{first_life.ports.api_url}/docs" in first_life.said()


def test_the_lineage_shows_every_asset_materialized(first_life: Life) -> None:
    assert first_life.seen["assets"] == ASSETS
    assert first_life.seen["lineage"].ok
    assert "<title" in first_life.seen["lineage"].text


def test_the_output_says_where_everything_is(first_life: Life) -> None:
    said = first_life.said()

    for text in (
        f"{first_life.ports.ui_url}{LINEAGE}",
        first_life.ports.cache_url,
        first_life.ports.provider_url,
        str(first_life.home / "logs"),
        "customer-pipeline sandbox fault down --for 15m",
    ):
        assert text in said, text


def test_every_service_has_a_log(first_life: Life) -> None:
    logs = {log.name for log in (first_life.home / "logs").iterdir()}

    assert logs >= {"cache.log", "provider.log", "code-server.log", "webserver.log", "daemon.log", "api.log"}


def test_a_second_stack_on_the_same_home_is_refused_in_one_line(first_life: Life) -> None:
    refused = first_life.seen["second dev"]

    assert refused.returncode == 1
    assert refused.stderr.startswith(f"customer-pipeline: a stack already runs on {first_life.home} (process ")
    assert len(refused.stderr.splitlines()) == 1


def test_an_outage_reaches_the_sandbox_of_the_running_stack(first_life: Life) -> None:
    assert first_life.seen["fault"].returncode == 0
    assert first_life.seen["fault"].stdout.startswith("down: ")
    assert first_life.seen["clear"].stdout == f"no fault is on at {first_life.ports.provider_url}\n"


def test_ctrl_c_ends_every_process(first_life: Life) -> None:
    assert first_life.process.returncode == 0
    assert first_life.errors.read_text() == ""
    assert first_life.said().endswith("ended; the next start continues from here\n")
    assert len(first_life.family) >= 7  # guardian, cache, sandbox, code server and its child, webserver, daemon
    assert first_life.left() == []


def test_a_second_start_continues_from_the_same_state(first_life: Life, second_life: Life) -> None:
    assert first_life.seen["load"] is not None
    assert second_life.seen["load"] == first_life.seen["load"]
    assert second_life.seen["customers"] > 0


def test_a_service_that_dies_is_named_with_its_log_and_ends_the_others(second_life: Life) -> None:
    complaint = second_life.errors.read_text()

    assert second_life.process.returncode == 1
    assert complaint.startswith("customer-pipeline: the cache (Valkey) ended unexpectedly by signal SIGKILL;")
    assert "Ready to accept connections" in complaint
    assert complaint.rstrip().endswith(str(second_life.home / "logs" / "cache.log"))
    assert "Traceback" not in complaint
    assert second_life.left() == []
