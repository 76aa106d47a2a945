"""Profiles with limits, and a Redis for each kind."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from customer_pipeline.provider.profile import Profile
from customer_pipeline.request_budget.budget import open_budget
from customer_pipeline_tests.cache.conftest import (  # noqa: F401 -- fixtures
    cluster,
    cluster_servers,
    connection,
    either,
    valkey_cluster,
)
from customer_pipeline_tests.provider import wire
from customer_pipeline_tests.servers import ValkeyServer

Opening = Callable[..., Any]


def limited(limits: dict[str, Any], base_url: str = "http://127.0.0.1:9", **changes: Any) -> Profile:
    return wire.profile(base_url, limits=limits, **changes)


@pytest.fixture
def opened(valkey: ValkeyServer) -> Iterator[Opening]:
    """Opens the budget of a profile, as often as a test has processes."""
    with ExitStack() as stack:

        def open_one(profile: Profile, *, background: bool = False) -> Any:
            return stack.enter_context(open_budget(profile, url=valkey.url, prefix="customer", background=background))

        yield open_one
