"""The example page in a real browser, before a real API."""

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, sync_playwright

import customer_pipeline
from customer_pipeline.cache.connection import Connection
from customer_pipeline_tests.api.conftest import connection, publisher
from customer_pipeline_tests.api.serving import ApiServer
from customer_pipeline_tests.defs.conftest import deployed, deployment
from customer_pipeline_tests.servers import ServerProcess, ValkeyServer, free_port

__all__ = ["connection", "deployed", "deployment", "publisher"]

EXAMPLE = Path(customer_pipeline.__file__).parents[1] / "examples" / "frontend"
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
QUIET = ["--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
QUIET += ["--disable-component-update", "--disable-sync"]
SOON = 20_000  # milliseconds

Opener = Callable[..., Page]


class PageServer(ServerProcess):
    """The example, served as its README says."""

    def __init__(self, folder: Path) -> None:
        port = free_port()
        command = [sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1", "--directory", str(EXAMPLE)]
        super().__init__(command, port, log=folder / "page.log")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


def api_for(page_server: PageServer, folder: Path, valkey: ValkeyServer) -> ApiServer:
    """An API before `valkey` that lets the page read."""
    return ApiServer(folder, valkey.url, API_CORS_ORIGINS=page_server.url)


def enter(page: Page, api: ApiServer, *, key: str | None = None) -> None:
    """Type the address and a key."""
    page.get_by_label("Address of the read API").fill(api.url)
    page.get_by_label("Key").fill(key or api.key)
    page.get_by_role("button", name="Enter").click()


def row(page: Page, customer_id: str) -> Locator:
    return page.locator(f'tr[data-id="{customer_id}"]')


@pytest.fixture(scope="module")
def page_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PageServer]:
    """The files of the example."""
    with PageServer(tmp_path_factory.mktemp("page")) as server:
        yield server


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A headless Chromium that is installed on this machine."""
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        pytest.fail(f"no Chromium is installed ({', '.join(NAMES)}): apt-get install chromium", pytrace=False)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=QUIET, chromium_sandbox=os.geteuid() != 0)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def shared_api(
    valkey_server: ValkeyServer, page_server: PageServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ApiServer]:
    """One API for all tests of a module, which lets the page read."""
    with api_for(page_server, tmp_path_factory.mktemp("api"), valkey_server) as server:
        yield server


@pytest.fixture
def api(shared_api: ApiServer, connection: Connection) -> ApiServer:
    """The API, its cache empty."""
    del connection
    return shared_api


@pytest.fixture
def open_page(browser: Browser, page_server: PageServer) -> Iterator[Opener]:
    """Open the page as a person somewhere does; what a script throws or a policy refuses fails the test."""
    errors: list[str] = []
    contexts = []

    def open_one(time_zone: str = "Europe/Zurich") -> Page:
        context = browser.new_context(timezone_id=time_zone, locale="en-GB", viewport={"width": 1280, "height": 860})
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda said: errors.append(said.text) if "Content Security Policy" in said.text else None)
        page.goto(page_server.url)
        return page

    yield open_one
    for context in contexts:
        context.close()
    assert errors == []
