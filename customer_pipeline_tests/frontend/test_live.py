"""The example page while customers change, and while the cache or the service is away."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeVar
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Route, expect

from customer_pipeline.cache.connection import Connection, connect
from customer_pipeline.cache.coverage import Coverage
from customer_pipeline.cache.publisher import Publisher
from customer_pipeline.customers.identity import ID_MAX_LENGTH
from customer_pipeline.timestamps import format_instant, now
from customer_pipeline.windows import WINDOW_LENGTH, Window, floor
from customer_pipeline_tests.api.serving import KEYS, ApiServer, live
from customer_pipeline_tests.defs.conftest import Deployment
from customer_pipeline_tests.defs.test_sync import cached, last_windows
from customer_pipeline_tests.frontend.conftest import SOON, Opener, PageServer, api_for, enter, row
from customer_pipeline_tests.servers import SandboxServer, ValkeyServer

T = TypeVar("T")
LATER = "2026-11-23T07:51:00.000000Z"
LONGEST_ADDRESS = 8192  # bytes


@pytest.fixture
def own_valkey(tmp_path: Path) -> Iterator[ValkeyServer]:
    """A Valkey that can be stopped, and remembers what it had."""
    with ValkeyServer(tmp_path / "valkey", "--appendonly", "yes") as server:
        yield server


def in_a_thread(work: Callable[[], T]) -> T:
    """Dagster wants a thread without an event loop, and the driver of the browser has one in this."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(work).result()


def cover(connection: Connection, *, ago: timedelta) -> datetime:
    """Say that the cache is complete up to so long ago."""
    end = floor(now() - ago)
    Coverage(connection, keys=KEYS).extend([Window(end - WINDOW_LENGTH, end)])
    return end


def test_customers_on_the_page_change_when_the_provider_changes_them(
    deployment: Deployment, sandbox: SandboxServer, valkey: ValkeyServer, api: ApiServer, open_page: Opener
) -> None:
    windows = last_windows(6)
    assert in_a_thread(lambda: deployment.run(windows)).success
    before = cached(valkey)
    assert 3 < len(before) < 50
    changed, deleted, *_ = sorted(before)
    page = open_page()
    enter(page, api)
    expect(page.locator("#customers tr")).to_have_count(len(before), timeout=SOON)
    row(page, changed).get_by_role("button").click()
    expect(page.locator("#customer h2")).to_have_text(str(before[changed]["name"] or changed))

    at = format_instant(windows[-1].end - timedelta(seconds=1))
    sandbox.control(
        "PUT", f"customers/{changed}", body={"name": {"full": "Zoë Changed"}, "status": "on fire"}, updated_at=at
    )
    sandbox.control("PUT", f"customers/{deleted}", body={"deleted": True}, updated_at=at)
    sandbox.control("POST", "customers", body={"id": "new-one", "name": {"full": "Nova New"}}, updated_at=at)
    assert in_a_thread(lambda: deployment.tick(windows[-1])).success

    expect(row(page, changed)).to_contain_text("Zoë Changed", timeout=SOON)
    expect(row(page, changed)).to_contain_text("on fire")
    expect(page.locator("#customer h2")).to_have_text("Zoë Changed")
    expect(row(page, deleted)).to_have_count(0)
    expect(row(page, "new-one")).to_contain_text("Nova New")
    expect(page.locator("#customers tr")).to_have_count(len(before))


def test_many_customers_with_long_ids_change_at_once(publisher: Publisher, api: ApiServer, open_page: Opener) -> None:
    asked: list[str] = []
    ids = [f"urn:customer:{number:0100d}" for number in range(119)] + ["\N{BUST IN SILHOUETTE}" * ID_MAX_LENGTH]
    publisher.publish([live(each) for each in ids])
    page = open_page()
    page.on("request", lambda request: asked.append(request.url.removeprefix(api.url)))
    enter(page, api)
    rows, button = page.locator("#customers tr"), page.get_by_role("button", name="More")
    for number in (50, 100):
        expect(rows).to_have_count(number, timeout=SOON)
        button.click()
    expect(rows).to_have_count(120)
    asked.clear()
    publisher.publish([live(each, name="New Name", updated_at=LATER) for each in ids])
    expect(rows.filter(has_text="New Name")).to_have_count(120, timeout=SOON)
    expect(page.locator("#live")).to_have_text("Live")
    assert max(len(path) for path in asked) <= LONGEST_ADDRESS
    assert len(asked) < len(ids) / 2


@pytest.mark.parametrize("separator", ["\u2028", "\u2029"])
def test_ids_with_separators_of_lines_change_too(
    publisher: Publisher, api: ApiServer, open_page: Opener, separator: str
) -> None:
    publisher.publish([live("plain"), live(f"a{separator}b")])
    page = open_page()
    enter(page, api)
    rows = page.locator("#customers tr")
    expect(rows).to_have_count(2, timeout=SOON)
    for customer_id in (f"a{separator}b", "plain"):
        publisher.publish([live(customer_id, name=f"New {customer_id[0]}", updated_at=LATER)])
        expect(rows.filter(has_text=f"New {customer_id[0]}")).to_have_count(1, timeout=SOON)
    expect(page.locator("#live")).to_have_text("Live")


def test_what_cannot_be_shown_is_said_and_everything_is_read_again(
    publisher: Publisher, api: ApiServer, open_page: Opener
) -> None:
    def answer(route: Route) -> None:
        route.fulfill(json={}, headers={"Access-Control-Allow-Origin": "*"})

    publisher.publish([live("c"), live("d")])
    page = open_page()
    enter(page, api)
    indicator, banner = page.locator("#live"), page.locator("#banner")
    expect(indicator).to_have_text("Live", timeout=SOON)
    page.route("**/v1/customers?*", answer)
    publisher.publish([live("c", name="Ada King", updated_at=LATER)])
    expect(indicator).to_have_text("Connecting…", timeout=SOON)
    expect(banner).to_contain_text("the page failed (TypeError: ", timeout=SOON)
    with page.expect_response("**/v1/freshness"):
        pass
    expect(banner).to_contain_text("the page failed")
    expect(page.locator("#customers tr")).to_have_count(2)
    page.unroute("**/v1/customers?*", answer)
    expect(row(page, "c")).to_contain_text("Ada King", timeout=2 * SOON)
    expect(indicator).to_have_text("Live")
    expect(banner).not_to_contain_text("the page failed", timeout=SOON)
    publisher.publish([live("d", name="Ada Byron", updated_at=LATER)])
    expect(row(page, "d")).to_contain_text("Ada Byron", timeout=SOON)


def test_an_outage_keeps_what_was_loaded_under_a_banner_and_ends_by_itself(
    own_valkey: ValkeyServer, page_server: PageServer, open_page: Opener, tmp_path: Path
) -> None:
    with connect(own_valkey.url) as connection, api_for(page_server, tmp_path / "api", own_valkey) as api:
        publisher = Publisher(connection)
        publisher.publish([live("c", name="Ada Lovelace")])
        cover(connection, ago=timedelta())
        page = open_page()
        enter(page, api)
        banner = page.locator("#banner")
        expect(row(page, "c")).to_contain_text("Ada Lovelace", timeout=SOON)
        expect(banner).to_be_hidden(timeout=SOON)

        own_valkey.stop()
        expect(banner).to_contain_text("What is shown may be out of date: customers cannot be read", timeout=SOON)
        page.get_by_role("searchbox").fill("ada@example.com")
        page.get_by_role("button", name="Look up").click()
        expect(page.locator("#found")).to_be_empty()
        expect(page.locator("#refusal")).to_be_empty()
        expect(row(page, "c")).to_contain_text("Ada Lovelace")

        own_valkey.start()
        expect(banner).to_be_hidden(timeout=SOON)
        publisher.publish([live("c", name="Ada King", updated_at=LATER)])
        expect(row(page, "c")).to_contain_text("Ada King", timeout=SOON)


def test_a_page_that_is_opened_during_an_outage_fills_when_it_ends(
    own_valkey: ValkeyServer, page_server: PageServer, open_page: Opener, tmp_path: Path
) -> None:
    with connect(own_valkey.url) as connection:
        Publisher(connection).publish([live("c")])
    own_valkey.stop()
    with api_for(page_server, tmp_path / "api", own_valkey) as api:
        page = open_page()
        enter(page, api)
        expect(page.locator("#banner")).to_contain_text("customers cannot be read at present", timeout=SOON)
        expect(page.locator("#live")).to_have_text("Connecting…")
        own_valkey.start()
        expect(row(page, "c")).to_be_visible(timeout=2 * SOON)
        expect(page.locator("#live")).to_have_text("Live")


def test_the_page_goes_on_where_it_broke_off_when_the_service_was_away(
    own_valkey: ValkeyServer, page_server: PageServer, open_page: Opener, tmp_path: Path
) -> None:
    asked: list[str] = []
    with connect(own_valkey.url) as connection, api_for(page_server, tmp_path / "api", own_valkey) as api:
        publisher = Publisher(connection)
        publisher.publish([live("c"), live("d")])
        page = open_page()
        page.on("request", lambda request: asked.append(request.url.removeprefix(api.url)))
        enter(page, api)
        expect(page.locator("#live")).to_have_text("Live", timeout=SOON)
        api.kill()
        expect(page.locator("#live")).to_have_text("Connecting…", timeout=SOON)
        expect(page.locator("#customers tr")).to_have_count(2)
        publisher.publish([live("c", name="Back Again", updated_at=LATER)])
        asked.clear()
        api.start()
        expect(row(page, "c")).to_contain_text("Back Again", timeout=2 * SOON)
        assert "/v1/customers?ids=c" in asked
        assert not [path for path in asked if "limit" in path]


def test_a_stale_cache_is_shown_under_a_banner(
    publisher: Publisher, connection: Connection, api: ApiServer, open_page: Opener
) -> None:
    publisher.publish([live("c")])
    as_of = cover(connection, ago=timedelta(hours=3))
    local = as_of.astimezone(ZoneInfo("Europe/Zurich"))
    page = open_page("Europe/Zurich")
    enter(page, api)
    shown = f"{local.day} {local:%b %Y, %H:%M:%S}"
    expect(page.locator("#banner")).to_contain_text(f"it is complete only up to {shown}", timeout=SOON)
    expect(page.locator("#as-of")).to_contain_text(shown)
    expect(row(page, "c")).to_be_visible()
    Coverage(connection, keys=KEYS).extend([Window(as_of, floor(now()))])
    expect(page.locator("#banner")).to_be_hidden(timeout=SOON)
