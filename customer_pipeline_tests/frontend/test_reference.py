"""The reference of the API in a browser."""

from playwright.sync_api import Browser, expect

from customer_pipeline_tests.api.serving import ApiServer
from customer_pipeline_tests.frontend.conftest import SOON


def test_the_reference_is_shown_without_any_other_address(browser: Browser, api: ApiServer) -> None:
    asked: list[str] = []
    said: list[str] = []
    with browser.new_context() as context:
        page = context.new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto(f"{api.url}/docs")
        expect(page.get_by_role("heading", name="Customers").first).to_be_visible(timeout=SOON)
        operation = page.locator("#operations-customers-one")
        operation.get_by_role("button").first.click()
        expect(operation.get_by_text("Ada Lovelace").first).to_be_visible(timeout=SOON)
    assert said == []
    assert asked
    assert [url for url in asked if not url.startswith((api.url, "data:"))] == []
