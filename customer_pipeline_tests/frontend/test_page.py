"""What a person sees and can do on the example page."""

import re
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import expect

from customer_pipeline.api.credentials import Scope
from customer_pipeline.cache.connection import Connection
from customer_pipeline.cache.publisher import Publisher
from customer_pipeline_tests.api.serving import ApiServer, live, put
from customer_pipeline_tests.frontend.conftest import SOON, Opener, PageServer, enter, row
from customer_pipeline_tests.servers import wait_until


@pytest.mark.parametrize("time_zone", ["America/New_York", "Asia/Kolkata"])
def test_dates_show_the_right_instant_wherever_the_browser_is(
    publisher: Publisher, api: ApiServer, open_page: Opener, time_zone: str
) -> None:
    instants = ["2026-07-01T23:30:00.000000Z", "2026-11-23T07:50:00.999999Z"]  # in summer, and in winter
    publisher.publish([live(f"c{number}", updated_at=each) for number, each in enumerate(instants)])
    page = open_page(time_zone)
    enter(page, api)
    for number, instant in enumerate(instants):
        shown = row(page, f"c{number}").locator("time")
        local = datetime.fromisoformat(instant).astimezone(ZoneInfo(time_zone))
        expect(shown).to_have_text(re.compile(f"^{local.day} {local:%b %Y, %H:%M:%S} "), timeout=SOON)
        expect(shown).to_have_attribute("datetime", instant)
    expect(page.locator("#zone")).to_have_text(re.compile("New_York|Kolkata|Calcutta"))


def test_customers_come_page_by_page(publisher: Publisher, api: ApiServer, open_page: Opener) -> None:
    publisher.publish([live(f"c{number:03d}") for number in range(120)])
    page = open_page()
    enter(page, api)
    more, rows, count = page.get_by_role("button", name="More"), page.locator("#customers tr"), page.locator("#count")
    for number in (50, 100):
        expect(rows).to_have_count(number, timeout=SOON)
        expect(count).to_have_text(f"{number} customers, and more")
        more.click()
    expect(rows).to_have_count(120)
    expect(count).to_have_text("120 customers")
    expect(more).to_be_hidden()


def test_a_customer_is_found_by_e_mail_address_and_shown_as_text(
    connection: Connection, api: ApiServer, page_server: PageServer, open_page: Opener
) -> None:
    put(connection, "ada", email="ada@example.com", name="<b>Ada</b>")
    put(connection, "long", email="jean-noel.munoz-garcon.de-la-fuente@mail.customers.international.example.com")
    page = open_page()
    enter(page, api)
    found, search = page.locator("#found"), page.get_by_role("searchbox")
    search.fill("ada@EXAMPLE.com")
    search.press("Enter")
    expect(found).to_contain_text("1 found:", timeout=SOON)
    found.get_by_role("button").click()
    expect(page.locator("#customer h2")).to_have_text("<b>Ada</b>")
    assert not page.locator("section").evaluate("list => list.scrollWidth > list.clientWidth"), "the list is cut off"
    expect(page.locator("#customer dl")).to_contain_text("Bahnhofstrasse 1")
    search.fill("+41446681801")
    search.press("Enter")
    expect(found).to_have_text("Nobody has it.")
    search.fill("nobody@")
    search.press("Enter")
    expect(found).to_contain_text("email:")
    assert page.url == f"{page_server.url}/"


def test_the_key_stays_in_the_tab_until_the_person_leaves(
    publisher: Publisher, api: ApiServer, page_server: PageServer, open_page: Opener
) -> None:
    publisher.publish([live("c")])
    page = open_page()
    enter(page, api)
    expect(row(page, "c")).to_be_visible(timeout=SOON)
    page.reload()
    expect(row(page, "c")).to_be_visible(timeout=SOON)
    other = page.context.new_page()
    other.goto(page_server.url)
    expect(other.locator("#enter")).to_be_visible()
    assert page.evaluate("localStorage.length") == 0
    assert page.evaluate("document.cookie") == ""
    page.get_by_role("button", name="Leave").click()
    expect(row(page, "c")).to_have_count(0)
    assert page.evaluate("sessionStorage.length") == 0
    page.reload()
    expect(page.locator("#enter")).to_be_visible()


def test_a_key_that_is_refused_is_asked_for_again_with_the_reason(api: ApiServer, open_page: Opener) -> None:
    reader = api.add_key(Scope.READ, name="reader")
    wait_until(lambda: api.get("/v1/freshness", key=reader).status_code == 200, what="the reading of the key")
    page = open_page()
    for key, reason in ((f"{api.key}x", "The key is not known"), (reader, "The key lacks the scope changes.")):
        enter(page, api, key=key)
        expect(page.locator("#refusal")).to_contain_text(reason, timeout=SOON)
        expect(page.locator("#enter")).to_be_visible()
