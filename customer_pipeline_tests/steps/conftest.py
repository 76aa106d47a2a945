"""An empty landing store, and a clock that goes from soon after the window."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import time_machine

from customer_pipeline.landing.store import LandingStore
from customer_pipeline_tests.steps.records import FETCHED


@pytest.fixture(autouse=True)
def clock() -> Iterator[time_machine.Traveller]:
    """A clock that goes, from soon after the window's end."""
    with time_machine.travel(FETCHED + timedelta(minutes=1)) as traveller:
        yield traveller


@pytest.fixture
def landing(tmp_path: Path) -> LandingStore:
    return LandingStore(tmp_path.as_uri())
