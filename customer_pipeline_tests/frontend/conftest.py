"""The example page in a real browser, before a real API."""

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

import customer_pipeline
from customer_pipeline_tests.api.conftest import connection, publisher
from customer_pipeline_tests.defs.conftest import deployed, deployment
from customer_pipeline_tests.servers import ServerProcess, free_port

__all__ = ["connection", "deployed", "deployment", "publisher"]

EXAMPLE = Path(customer_pipeline.__file__).parents[1] / "examples" / "frontend"
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
QUIET = ("--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking")
QUIET += ("--disable-component-update", "--disable-sync")

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
        browser = playwright.chromium.launch(
            executable_path=program, args=list(QUIET), chromium_sandbox=os.geteuid() != 0
        )
        yield browser
        browser.close()


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
