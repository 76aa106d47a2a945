"""The limits in a profile: what may be left out, and what is refused with which words."""

from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from customer_pipeline.provider.limits import Limits
from customer_pipeline.provider.profile import load_profile, shipped_profiles
from customer_pipeline_tests.provider.wire import profile


def test_without_limits_nothing_is_counted_and_a_run_asks_one_request_at_a_time() -> None:
    limits = profile("http://127.0.0.1:9").limits
    assert not limits.counted
    assert [limits.at_once(background=background) for background in (False, True)] == [1, 1]


@pytest.mark.parametrize(
    ("content", "live", "background"),
    [
        ({"concurrent": 4}, 4, 3),
        ({"concurrent": 2}, 2, 1),
        ({"concurrent": 1}, 1, 1),
        ({"requests": 100, "period": "1m"}, 1, 1),
        ({"requests": 100, "period": "1m", "concurrent": 8}, 8, 7),
    ],
)
def test_any_limit_is_counted_and_background_leaves_one_request_to_live_runs(
    content: dict[str, Any], live: int, background: int
) -> None:
    limits = Limits.model_validate(content)
    assert limits.counted
    assert limits.at_once(background=False) == live
    assert limits.at_once(background=True) == background


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"requests": 100}, r"limits\.requests needs limits\.period, such as 1m"),
        ({"period": "1m"}, r"limits\.period needs limits\.requests"),
        ({"requests": 100, "period": "500ms"}, r"limits\.period must be 1s or longer"),
        ({"requests": 100, "period": "0s"}, "longer than 0s"),
        ({"requests": 100, "period": 60}, "is no duration"),
        ({"requests": 0, "period": "1m"}, "greater than or equal to 1"),
        ({"requests": 1.5, "period": "1m"}, "valid integer"),
        ({"concurrent": 0}, "greater than or equal to 1"),
        ({"concurrent": 65}, "less than or equal to 64"),
        ({"concurrency": 4}, "Extra inputs are not permitted"),
    ],
)
def test_each_mistake_is_named(content: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Limits.model_validate(content)


def test_a_profile_whose_requests_could_not_wait_for_their_turn_is_refused() -> None:
    limits = {"requests": 10, "period": "1h"}
    with pytest.raises(ValidationError, match=r"may wait 720 s for its turn; raise retry\.budget"):
        profile("http://127.0.0.1:9", limits=limits, retry={"budget": "719s"})
    assert profile("http://127.0.0.1:9", limits=limits, retry={"budget": "12m"}).limits.requests == 10


def test_the_sandbox_is_shipped_with_limits_that_let_a_range_be_fetched_in_parallel() -> None:
    limits = load_profile("sandbox").limits
    assert limits.concurrent is not None
    assert limits.concurrent > 1
    assert limits.requests is not None
    assert limits.period == timedelta(minutes=1)
    assert all(load_profile(name) for name in shipped_profiles())
