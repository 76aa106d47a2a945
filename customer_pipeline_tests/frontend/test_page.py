"""What a person sees on the example page: in a headless Chromium, before the real API, cache and provider."""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Page, expect

from customer_pipeline.api.credentials import Scope
from customer_pipeline.cache.connection import Connection, connect
from customer_pipeline.cache.coverage import Coverage
from customer_pipeline.cache.publisher import Publisher
from customer_pipeline.timestamps import format_instant, now
from customer_pipeline.windows import WINDOW_LENGTH, Window, floor
from customer_pipeline_tests.api.listening import change
from customer_pipeline_tests.api.lookup_entries import put
from customer_pipeline_tests.api.serving import ApiServer, live
from customer_pipeline_tests.defs.conftest import Deployment
from customer_pipeline_tests.defs.test_sync import cached, last_windows
from customer_pipeline_tests.frontend.conftest import Opener, PageServer
from customer_pipeline_tests.servers import SandboxServer, ValkeyServer, wait_until

SOON = 20_000


@pytest.fixture
def own_valkey(tmp_path: Path) -> Iterator[ValkeyServer]:
    """A Valkey that can be stopped, and remembers what it had."""
    folder = tmp_path / "valkey"
    with ValkeyServer(folder, "--appendonly", "yes") as server:
        yield server


def api_for(page_server: PageServer, folder: Path, valkey: ValkeyServer) -> ApiServer:
    return ApiServer(folder / "api", valkey.url, API_CORS_ORIGINS=page_server.url)


def enter(page: Page, api: ApiServer, *, key: str | None = None) -> None:
    page.get_by_label("Address of the read API").fill(api.url)
    page.get_by_label("Key").fill(key or api.key)
    page.get_by_role("button", name="Enter").click()


def cover(connection: Connection, *, ago: timedelta) -> datetime:
    """Say that the cache is complete up to so long ago."""
    end = floor(now() - ago)
    Coverage(connection).extend([Window(end - WINDOW_LENGTH, end)])
    return end


def test_customers_on_the_page_change_when_the_provider_changes_them(
    deployment: Deployment,
    sandbox: SandboxServer,
    valkey: ValkeyServer,
    page_server: PageServer,
    open_page: Opener,
    tmp_path: Path,
) -> None:
    windows = last_windows(6)
    assert deployment.run(windows).success
    before = cached(valkey)
    assert 3 < len(before) < 50
    changed, deleted, *_ = sorted(before)
    with api_for(page_server, tmp_path, valkey) as api:
        page = open_page()
        enter(page, api)
        rows = page.locator("#customers tr")
        expect(page.locator("#live")).to_have_text("Live", timeout=SOON)
        expect(rows).to_have_count(len(before))
        page.locator(f'tr[data-id="{changed}"] button').click()
        expect(page.locator("#customer h2")).to_have_text(str(before[changed]["name"] or changed))

        at = format_instant(windows[-1].end - timedelta(seconds=1))
        sandbox.control("PUT", f"customers/{changed}", body={"name": "Zoë Changed", "status": "on fire"}, updated_at=at)
        sandbox.control("PUT", f"customers/{deleted}", body={"deleted": True}, updated_at=at)
        sandbox.control("POST", "customers", body={"id": "new-one", "name": "Nova New"}, updated_at=at)
        assert deployment.tick(windows[-1]).success

        row = page.locator(f'tr[data-id="{changed}"]')
        expect(row).to_contain_text("Zoë Changed", timeout=SOON)
        expect(row).to_contain_text("on fire")
        expect(page.locator("#customer h2")).to_have_text("Zoë Changed")
        expect(page.locator(f'tr[data-id="{deleted}"]')).to_have_count(0)
        expect(page.locator('tr[data-id="new-one"]')).to_contain_text("Nova New")
        expect(rows).to_have_count(len(before))


@pytest.mark.parametrize("time_zone", ["America/New_York", "Asia/Kolkata"])
def test_dates_show_the_right_instant_wherever_the_browser_is(
    publisher: Publisher,
    valkey: ValkeyServer,
    page_server: PageServer,
    open_page: Opener,
    tmp_path: Path,
    time_zone: str,
) -> None:
    instants = ["2026-07-01T23:30:00.000000Z", "2026-11-23T07:50:00.999999Z"]  # in summer, and in winter
    publisher.publish([live(f"c{number}", updated_at=each) for number, each in enumerate(instants)])
    with api_for(page_server, tmp_path, valkey) as api:
        page = open_page(time_zone)
        enter(page, api)
        for number, instant in enumerate(instants):
            shown = page.locator(f'tr[data-id="c{number}"] time')
            local = datetime.fromisoformat(instant).astimezone(ZoneInfo(time_zone))
            expect(shown).to_have_text(re.compile(f"^{local.day} {local:%b %Y, %H:%M:%S} "), timeout=SOON)
            expect(shown).to_have_attribute("datetime", instant)
        expect(page.locator("#zone")).to_have_text(re.compile("New_York|Kolkata|Calcutta"))


def test_an_outage_keeps_what_was_loaded_under_a_banner_and_ends_by_itself(
    own_valkey: ValkeyServer, page_server: PageServer, open_page: Opener, tmp_path: Path
) -> None:
    with connect(own_valkey.url) as connection, api_for(page_server, tmp_path, own_valkey) as api:
        Publisher(connection).publish([live("c", name="Ada Lovelace")])
        cover(connection, ago=timedelta())
        page = open_page()
        enter(page, api)
        banner, row = page.locator("#banner"), page.locator('tr[data-id="c"]')
        expect(row).to_contain_text("Ada Lovelace", timeout=SOON)
        expect(banner).to_be_hidden()

        own_valkey.stop()
        expect(banner).to_contain_text("What is shown may be out of date: customers cannot be read", timeout=SOON)
        page.get_by_role("searchbox").fill("ada@example.com")
        page.get_by_role("button", name="Look up").click()
        expect(page.locator("#found")).to_be_empty()
        expect(page.locator("#refusal")).to_be_empty()
        expect(row).to_contain_text("Ada Lovelace")

        own_valkey.start()
        expect(banner).to_be_hidden(timeout=SOON)
        Publisher(connection).publish([live("c", name="Ada King", updated_at="2026-11-23T07:51:00.000000Z")])
        change(connection, "c")
        expect(row).to_contain_text("Ada King", timeout=SOON)


def test_a_page_that_is_opened_during_an_outage_fills_when_it_ends(
    own_valkey: ValkeyServer, page_server: PageServer, open_page: Opener, tmp_path: Path
) -> None:
    with connect(own_valkey.url) as connection:
        Publisher(connection).publish([live("c")])
    own_valkey.stop()
    with api_for(page_server, tmp_path, own_valkey) as api:
        page = open_page()
        enter(page, api)
        expect(page.locator("#banner")).to_contain_text("customers cannot be read at present", timeout=SOON)
        expect(page.locator("#live")).to_have_text("Connecting…")
        own_valkey.start()
        expect(page.locator('tr[data-id="c"]')).to_be_visible(timeout=2 * SOON)


def test_the_page_goes_on_where_it_broke_off_when_the_service_was_away(
    valkey: ValkeyServer,
    publisher: Publisher,
    connection: Connection,
    page_server: PageServer,
    open_page: Opener,
    tmp_path: Path,
) -> None:
    publisher.publish([live("c"), live("d")])
    with api_for(page_server, tmp_path, valkey) as api:
        page = open_page()
        enter(page, api)
        expect(page.locator("#customers tr")).to_have_count(2, timeout=SOON)
        change(connection, "c")
        api.kill()
        expect(page.locator("#live")).to_have_text("Connecting…", timeout=SOON)
        expect(page.locator("#customers tr")).to_have_count(2)
        publisher.publish([live("c", name="Back Again", updated_at="2026-11-23T07:51:00.000000Z")])
        change(connection, "c")
        asked = []
        page.on("request", lambda request: asked.append(request.headers.get("last-event-id")))
        api.start()
        expect(page.locator('tr[data-id="c"]')).to_contain_text("Back Again", timeout=2 * SOON)
        expect(page.locator("#banner")).to_be_visible()  # nothing was covered
        assert any(asked)


def test_a_stale_cache_is_shown_under_a_banner(
    valkey: ValkeyServer,
    publisher: Publisher,
    connection: Connection,
    page_server: PageServer,
    open_page: Opener,
    tmp_path: Path,
) -> None:
    publisher.publish([live("c")])
    as_of = cover(connection, ago=timedelta(hours=3)).astimezone(ZoneInfo("Europe/Zurich"))
    with api_for(page_server, tmp_path, valkey) as api:
        page = open_page()
        enter(page, api)
        shown = f"{as_of.day} {as_of:%b %Y, %H:%M:%S}"
        expect(page.locator("#banner")).to_contain_text(f"it is complete only up to {shown}", timeout=SOON)
        expect(page.locator("#as-of")).to_contain_text(shown)
        expect(page.locator('tr[data-id="c"]')).to_be_visible()
        Coverage(connection).extend([Window(as_of, floor(now()))])
        expect(page.locator("#banner")).to_be_hidden(timeout=SOON)


def test_customers_come_page_by_page_and_are_found_by_e_mail_address(
    valkey: ValkeyServer,
    publisher: Publisher,
    connection: Connection,
    page_server: PageServer,
    open_page: Opener,
    tmp_path: Path,
) -> None:
    publisher.publish([live(f"c{number:03d}") for number in range(120)])
    put(connection, "ada", email="ada@example.com", name="<b>Ada</b>", updated_at="2026-11-23T07:51:00.000000Z")
    with api_for(page_server, tmp_path, valkey) as api:
        page = open_page()
        enter(page, api)
        for count in (50, 100, 121):
            expect(page.locator("#customers tr")).to_have_count(count, timeout=SOON)
            if count < 121:
                expect(page.locator("#count")).to_have_text(f"{count} customers, and more")
                page.get_by_role("button", name="More").click()
        expect(page.get_by_role("button", name="More")).to_be_hidden()
        page.get_by_role("searchbox").fill("Ada@EXAMPLE.com")
        page.get_by_role("button", name="Look up").click()
        page.locator("#found button").click()
        expect(page.locator("#customer h2")).to_have_text("<b>Ada</b>")
        expect(page.locator("#customer dl")).to_contain_text("Bahnhofstrasse 1")
        assert page.url == f"{page_server.url}/"
        page.get_by_role("searchbox").fill("nobody@")
        page.get_by_role("button", name="Look up").click()
        expect(page.locator("#found")).to_contain_text("email:")


def test_the_key_stays_in_the_tab_until_the_person_leaves(
    valkey: ValkeyServer, publisher: Publisher, page_server: PageServer, open_page: Opener, tmp_path: Path
) -> None:
    publisher.publish([live("c")])
    with api_for(page_server, tmp_path, valkey) as api:
        page = open_page()
        enter(page, api)
        expect(page.locator("#customers tr")).to_have_count(1, timeout=SOON)
        page.reload()
        expect(page.locator("#customers tr")).to_have_count(1, timeout=SOON)
        other = page.context.new_page()
        other.goto(page_server.url)
        expect(other.locator("#enter")).to_be_visible()
        assert page.evaluate("localStorage.length") == 0
        assert page.evaluate("document.cookie") == ""
        page.get_by_role("button", name="Leave").click()
        expect(page.locator("#customers tr")).to_have_count(0)
        assert page.evaluate("sessionStorage.length") == 0
        page.reload()
        expect(page.locator("#enter")).to_be_visible()


def test_a_key_that_is_refused_is_asked_for_again_with_the_reason(
    valkey: ValkeyServer, page_server: PageServer, open_page: Opener, tmp_path: Path
) -> None:
    with api_for(page_server, tmp_path, valkey) as api:
        reader = api.add_key(Scope.READ, name="reader")
        page = open_page()
        for key, reason in ((f"{api.key}x", "The key is not known"), (reader, "The key lacks the scope changes.")):
            wait_until(lambda: api.get("/v1/freshness", key=reader).status_code == 200, what="the reading of the key")
            enter(page, api, key=key)
            expect(page.locator("#refusal")).to_contain_text(reason, timeout=SOON)
            expect(page.locator("#enter")).to_be_visible()
