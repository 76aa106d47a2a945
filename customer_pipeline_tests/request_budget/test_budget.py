"""The budget as a whole: what is given, who goes first, and what happens when Redis is gone."""

import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import pytest

from customer_pipeline.cache.connection import Connection, connect
from customer_pipeline.cache.errors import CacheRejected, CacheUnavailable
from customer_pipeline.provider.client import ProviderClient
from customer_pipeline.provider.permits import PermitRefused, Unlimited
from customer_pipeline.request_budget.budget import RequestBudget, open_budget
from customer_pipeline.windows import Window
from customer_pipeline_tests.provider.wire import Server, Sleeps, page
from customer_pipeline_tests.request_budget.conftest import Opening, limited
from customer_pipeline_tests.servers import ValkeyServer, free_port

WINDOW = Window.from_key("2025-11-23T0750Z")
SLOT = "customers:request_budget:tested:slot:{}"
MANY = {"requests": 100_000, "period": "1h"}


def test_a_profile_without_limits_needs_no_redis() -> None:
    with open_budget(
        limited({}), url=f"redis://127.0.0.1:{free_port()}", prefix="customer", background=True
    ) as permits:
        assert isinstance(permits, Unlimited)
        with permits.permit() as waited:
            assert waited == timedelta(0)


def test_permits_are_given_and_given_back_standalone_and_in_a_cluster(either: Connection) -> None:
    profile = limited({**MANY, "concurrent": 2})
    budget = RequestBudget(either, profile, prefix="other", background=False)
    with budget.permit() as waited, budget.permit():
        assert waited == timedelta(0)
        held = {key.decode() for key in either.scan_iter("*")}
        assert held == {f"others:request_budget:tested:{name}" for name in ("pace", "slot:0", "slot:1")}
        assert all(either.pttl(key) > 0 for key in held)
    assert {key.decode() for key in either.scan_iter("*")} == {"others:request_budget:tested:pace"}


def test_a_slot_is_held_longer_than_any_request_takes(opened: Opening, connection: Connection) -> None:
    timeouts = {"connect": "10s", "read": "20s", "total": "40s"}
    with opened(limited({"concurrent": 1}, timeouts=timeouts)).permit():
        assert 70_000 < connection.pttl(SLOT.format(0)) <= 75_000


def test_background_leaves_one_slot_to_live_runs_where_there_is_more_than_one(opened: Opening) -> None:
    profile = limited({"concurrent": 2}, retry={"budget": "100ms"})
    background, live = opened(profile, background=True), opened(profile)
    with background.permit():
        with pytest.raises(PermitRefused), background.permit():
            pass
        with live.permit() as waited:
            assert waited == timedelta(0)
    with live.permit(), background.permit() as waited:
        assert waited == timedelta(0)


def test_with_one_slot_whoever_comes_waits_until_it_is_free(opened: Opening) -> None:
    profile = limited({"concurrent": 1}, retry={"budget": "30s"})
    background, live = opened(profile, background=True), opened(profile)
    with ThreadPoolExecutor(1) as pool:
        holding, done = threading.Event(), threading.Event()

        def hold() -> None:
            with background.permit():
                holding.set()
                done.wait()

        held = pool.submit(hold)
        assert holding.wait(10)
        threading.Timer(0.3, done.set).start()
        with live.permit() as waited:
            assert timedelta(seconds=0.1) < waited < timedelta(seconds=5)
        held.result()


def test_a_wait_that_would_pass_the_retry_budget_is_not_begun(valkey: ValkeyServer) -> None:
    profile = limited({"requests": 1, "period": "30s"}, retry={"budget": "60s"})
    sleeps = Sleeps()
    with connect(valkey.url) as client:
        budget = RequestBudget(client, profile, prefix="customer", background=False, sleep=sleeps)
        with budget.permit():
            pass
        with (
            pytest.raises(PermitRefused, match=r"own request budget is used up.* retry.budget allows 60 s"),
            budget.permit(),
        ):
            pass
    assert 30 < sum(sleeps.seconds) <= 60


def test_live_requests_hardly_wait_while_background_takes_all_it_gets(opened: Opening) -> None:
    profile = limited({"requests": 60, "period": "2s", "concurrent": 3}, retry={"budget": "60s"})
    end = time.monotonic() + 4
    sent: list[float] = []

    def saturate() -> float:
        budget, waited = opened(profile, background=True), 0.0
        while time.monotonic() < end:
            with budget.permit() as wait:
                waited += wait.total_seconds()
                sent.append(time.monotonic())
        return waited

    with ThreadPoolExecutor(3) as pool:
        running = [pool.submit(saturate) for _ in range(3)]
        live, waits = opened(profile), []
        while time.monotonic() < end:
            with live.permit() as wait:
                waits.append(wait.total_seconds())
            time.sleep(0.25)
        background_waits = [each.result() for each in running]
    assert sum(background_waits) > 4
    assert len(waits) >= 10
    assert max(waits) < 0.3
    assert 60 <= len(sent) <= 3 * 45


def test_nothing_is_sent_while_redis_is_gone_and_all_goes_on_when_it_is_back(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with ExitStack() as stack:
        server = stack.enter_context(Server(page({"id": 1, "updated_at": "2025-11-23T07:51:00Z"})))
        valkey = stack.enter_context(ValkeyServer(tmp_path))
        profile = limited({**MANY, "concurrent": 2}, server.url)
        permits = stack.enter_context(open_budget(profile, url=valkey.url, prefix="customer", background=True))
        client = stack.enter_context(ProviderClient(profile, {}, permits=permits))
        list(client.walk(WINDOW))
        with caplog.at_level(logging.WARNING), permits.permit():
            valkey.kill()
        assert "a slot could not be given back" in caplog.text
        with pytest.raises(CacheUnavailable):
            list(client.walk(WINDOW))
        assert len(server.requests) == 1
        valkey.start()
        list(client.walk(WINDOW))
        assert len(server.requests) == 2


def test_a_user_without_the_right_to_ask_for_the_time_is_rejected_and_keeps_no_slot(valkey: ValkeyServer) -> None:
    rights = ("~customers:*", "+@read", "+@write", "+@scripting", "+@connection", "+info")
    with valkey.client() as admin:
        for name, more in (("without", ()), ("with", ("+time",))):
            admin.execute_command("ACL", "SETUSER", name, "reset", "on", ">pw", *rights, *more)
        try:
            profile = limited({**MANY, "concurrent": 1}, retry={"budget": "1s"})
            url = valkey.url.replace("//", "//{}:pw@")
            with (
                open_budget(profile, url=url.format("without"), prefix="customer", background=False) as permits,
                pytest.raises(CacheRejected, match="lacks a permission"),
                permits.permit(),
            ):
                pass
            with (
                open_budget(profile, url=url.format("with"), prefix="customer", background=False) as permits,
                permits.permit() as waited,
            ):
                assert waited == timedelta(0)
        finally:
            admin.execute_command("ACL", "DELUSER", "without", "with")
