"""Sandboxes that tests share."""

from collections.abc import Iterator

import pytest

from customer_pipeline_tests.sandbox.running import RunningSandbox


@pytest.fixture(scope="module")
def running() -> Iterator[RunningSandbox]:
    """One sandbox of 1200 customers for a module; nothing changes in it by itself."""
    with RunningSandbox() as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(running: RunningSandbox) -> Iterator[RunningSandbox]:
    """The module's sandbox, without faults."""
    yield running
    running.clear()
