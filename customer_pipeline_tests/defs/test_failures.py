"""What a failed run says of itself, on real servers and a real Dagster instance."""

import re
from datetime import timedelta
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.events import RunFailureReason
from dagster._core.execution.retries import auto_reexecution_should_retry_run

from customer_pipeline import run_tags, timestamps
from customer_pipeline.defs import history
from customer_pipeline.defs.failures import explained
from customer_pipeline.provider.profile import ProfileError
from customer_pipeline_tests.defs.conftest import Deployment
from customer_pipeline_tests.defs.test_sync import last_windows, touch
from customer_pipeline_tests.servers import SandboxServer, ValkeyServer

FAILURE_TAGS = {
    run_tags.FAILURE,
    run_tags.PERMANENT,
    run_tags.FAILED_WINDOW,
    run_tags.FAILING_SINCE,
    run_tags.FAILING_SO_SINCE,
    run_tags.CONFIGURATION,
}


@pytest.fixture(autouse=True)
def _without_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dg.RetryPolicy, "calculate_delay", lambda *_: 0)


def test_a_heal_that_fails_does_not_wait_for_a_tick(deployment: Deployment, sandbox: SandboxServer) -> None:
    sandbox.control("POST", "faults/error_503")
    result = deployment.run(last_windows(1), tags={run_tags.LANE: run_tags.HEAL})
    told = str(deployment.failure(result).description)
    assert told.endswith("; the heal tries again while ticks succeed, later each time and in smaller ranges")


def test_one_sentence_tells_the_whole_story_of_a_passing_failure(
    deployment: Deployment, sandbox: SandboxServer, caplog: pytest.LogCaptureFixture
) -> None:
    sandbox.control("POST", "faults/error_503")
    (window,) = last_windows(1)
    before = timestamps.now()
    result = deployment.tick(window)
    failure = deployment.failure(result)
    assert re.fullmatch(
        r"provider unavailable since \d{4}-\d\d-\d\d \d\d:\d\d UTC "
        rf"\(window {window.key}\): the provider is unavailable \(status 503\), 2 attempts in 0\.\d s; "
        "heals by itself when a later tick succeeds",
        str(failure.description),
    )
    metadata = {name: value.value for name, value in failure.metadata.items()}
    assert metadata["kind"] == "provider_unavailable"
    assert metadata["window"] == window.key
    assert metadata["reason"] == "the provider is unavailable (status 503)"
    assert metadata["permanent"] is False
    assert str(metadata["tried"]).endswith("try 3 of 3")
    assert metadata["request"] == f"GET {sandbox.url}/bearer/page_number/customers"
    assert "heals by itself" in str(metadata["what_next"])
    assert isinstance(failure.metadata["since"], dg.TimestampMetadataValue)
    assert before.timestamp() <= float(str(metadata["since"])) <= timestamps.now().timestamp()
    assert history.explanation(deployment.instance, result.run_id) == failure.description
    # what the UI shows first, above the traceback
    (event,) = [event for event in result.all_events if event.is_step_failure]
    error = event.step_failure_data.error
    assert error is not None
    assert error.message.splitlines()[0].endswith(str(failure.description))
    assert sandbox.TOKEN not in caplog.text + repr(result.all_events)


def test_the_runs_list_shows_what_failed(deployment: Deployment, sandbox: SandboxServer) -> None:
    sandbox.control("POST", "faults/error_503")
    (window,) = last_windows(1)
    tags = deployment.tags_of(deployment.tick(window))
    assert tags[run_tags.FAILURE] == "provider_unavailable"
    assert tags[run_tags.PERMANENT] == "false"
    assert tags[run_tags.FAILED_WINDOW] == window.key
    assert timestamps.parse_instant(tags[run_tags.FAILING_SINCE]) <= timestamps.now()
    assert re.fullmatch("[0-9a-f]{8}", tags[run_tags.CONFIGURATION])


def test_the_failures_of_an_outage_tell_of_the_same_beginning(deployment: Deployment, sandbox: SandboxServer) -> None:
    windows = last_windows(3)
    sandbox.control("POST", "faults/error_503")
    first = deployment.tags_of(deployment.tick(windows[0]))[run_tags.FAILING_SINCE]
    assert deployment.tags_of(deployment.tick(windows[1]))[run_tags.FAILING_SINCE] == first
    # a person's run meets the same outage; a success ends it
    assert deployment.tags_of(deployment.run(windows[:2]))[run_tags.FAILING_SINCE] == first
    sandbox.control("DELETE", "faults")
    assert deployment.tick(windows[1]).success
    sandbox.control("POST", "faults/error_503")
    assert deployment.tags_of(deployment.tick(windows[2]))[run_tags.FAILING_SINCE] > first


def test_another_reason_to_fail_has_a_beginning_of_its_own(deployment: Deployment, sandbox: SandboxServer) -> None:
    windows = last_windows(3)
    sandbox.control("POST", "faults/down")
    down = deployment.tags_of(deployment.tick(windows[0]))
    assert down[run_tags.FAILING_SO_SINCE] == down[run_tags.FAILING_SINCE]
    sandbox.control("DELETE", "faults")
    sandbox.control("POST", "faults/expired_token")
    refused = [deployment.tags_of(deployment.tick(window)) for window in windows[1:]]
    assert {tags[run_tags.FAILING_SINCE] for tags in refused} == {down[run_tags.FAILING_SINCE]}
    (begun,) = {tags[run_tags.FAILING_SO_SINCE] for tags in refused}
    assert begun > down[run_tags.FAILING_SINCE]


def test_a_failure_in_a_range_names_the_window_it_was_met_in(deployment: Deployment) -> None:
    windows = last_windows(3)
    assert deployment.run(windows).success
    path = Path(deployment.landing.uri_of("raw_customers", windows[1]).removeprefix("file://"))
    path.write_bytes(b"damaged")
    result = deployment.replay(windows)
    assert deployment.tags_of(result)[run_tags.FAILED_WINDOW] == windows[1].key
    assert f"(window {windows[1].key})" in str(deployment.failure(result).description)
    assert "needs you: materialize the window from raw_customers on" in str(deployment.failure(result).description)


def test_a_failure_of_a_whole_range_names_no_window(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SANDBOX_TOKEN")
    windows = last_windows(3)
    result = deployment.run(windows)
    assert f"(window {windows[0].key}...{windows[-1].key})" in str(deployment.failure(result).description)
    assert run_tags.FAILED_WINDOW not in deployment.tags_of(result)
    assert deployment.tags_of(result)[run_tags.FAILURE] == "profile"


def test_a_retry_that_succeeds_leaves_no_trace_of_the_failure(deployment: Deployment, sandbox: SandboxServer) -> None:
    # the two attempts of the first try use it up
    sandbox.control("POST", "faults/error_503", times="2")
    result = deployment.tick(last_windows(1)[0])
    assert result.success
    (retry,) = [event for event in result.all_events if event.is_step_up_for_retry]
    error = retry.step_retry_data.error
    assert error is not None
    assert "tried again within this run" in error.to_string()
    assert not FAILURE_TAGS & deployment.tags_of(result).keys()


@pytest.mark.parametrize("lane", [run_tags.LIVE, None])
def test_a_permanent_failure_says_what_a_person_has_to_do(
    deployment: Deployment, sandbox: SandboxServer, lane: str | None
) -> None:
    sandbox.control("POST", "faults/expired_token")
    result = deployment.run(last_windows(1), tags={run_tags.LANE: lane} if lane else {})
    failure = deployment.failure(result)
    assert str(failure.description).startswith("provider rejected since ")
    assert str(failure.description).endswith("; needs you: correct the credentials or the profile")
    assert failure.metadata["permanent"].value is True
    assert deployment.tags_of(result)[run_tags.PERMANENT] == "true"


def test_a_person_is_told_what_heals_and_what_does_not(deployment: Deployment, sandbox: SandboxServer) -> None:
    sandbox.control("POST", "faults/error_503")
    failure = deployment.failure(deployment.run(last_windows(1)))
    assert "where the window is a gap; otherwise materialize it again" in str(failure.description)


def test_an_instance_that_repeats_failed_runs_does_not_repeat_permanent_failures(
    kept_deployment: Deployment, sandbox: SandboxServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dg.DagsterInstance, "run_retries_max_retries", 1)
    repeated = {}
    for fault in ("expired_token", "error_503"):
        sandbox.control("POST", f"faults/{fault}")
        run = kept_deployment.instance.get_run_by_id(kept_deployment.tick(last_windows(1)[0]).run_id)
        sandbox.control("DELETE", "faults")
        assert run is not None
        repeated[fault] = auto_reexecution_should_retry_run(
            kept_deployment.instance, run, RunFailureReason.STEP_FAILURE
        )
    assert repeated == {"expired_token": False, "error_503": True}


def test_a_failed_check_is_explained_like_any_failure_and_still_shown_as_failed(
    deployment: Deployment, sandbox: SandboxServer, valkey: ValkeyServer
) -> None:
    windows = last_windows(3)
    touch(sandbox, windows[1], 8)
    deployment.edit_profile("  id: id\n", "  id: external_id\n")
    result = deployment.run(windows)
    (rate,) = [check for check in result.get_asset_check_evaluations() if check.check_name == "quarantine_rate_is_low"]
    assert not rate.passed
    assert rate.blocking
    assert windows[1].key in str(rate.metadata["windows"].value)
    failure = deployment.failure(result)
    assert str(failure.description).startswith("checks failing since ")
    assert "quarantine_rate_is_low failed in " in str(failure.description)
    assert "needs you: read the reasons in the windows' metadata" in str(failure.description)
    tags = deployment.tags_of(result)
    assert (tags[run_tags.FAILURE], tags[run_tags.PERMANENT]) == ("checks", "true")
    assert tags[run_tags.FAILED_WINDOW] in {window.key for window in windows}
    assert not [event for event in result.all_events if event.is_step_restarted]
    assert not [
        event for event in result.get_asset_materialization_events() if event.asset_key == dg.AssetKey("customer_cache")
    ]
    with valkey.client() as client:
        assert not client.exists("customers:coverage")


def test_a_failure_whose_tags_cannot_be_written_is_seen_all_the_same(
    deployment: Deployment, sandbox: SandboxServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise OSError("database is locked")

    sandbox.control("POST", "faults/expired_token")
    monkeypatch.setattr(dg.DagsterInstance, "add_run_tags", broken)
    failure = deployment.failure(deployment.tick(last_windows(1)[0]))
    assert str(failure.description).startswith("provider rejected (window ")
    assert "since" not in failure.metadata


def test_a_repetition_forgets_the_failure_of_the_run_it_repeats(deployment: Deployment, sandbox: SandboxServer) -> None:
    """Dagster copies the tags of the failed run, as it does for "Re-execute from failure"."""
    sandbox.control("POST", "faults/expired_token")
    windows = last_windows(1)
    tags = deployment.tags_of(deployment.tick(windows[0]))
    copied = {name: value for name, value in tags.items() if name.startswith("customer_pipeline/")}
    assert copied.keys() >= FAILURE_TAGS
    sandbox.control("DELETE", "faults")
    result = deployment.run(windows, tags=copied)
    assert result.success
    assert not [name for name in FAILURE_TAGS if deployment.tags_of(result).get(name)]
    assert not FAILURE_TAGS & history.finished(deployment.instance, limit=1)[0].tags.keys()


def test_a_repetition_that_fails_otherwise_tells_of_its_own_failure(
    deployment: Deployment, sandbox: SandboxServer
) -> None:
    sandbox.control("POST", "faults/expired_token")
    windows = last_windows(1)
    tags = deployment.tags_of(deployment.tick(windows[0]))
    sandbox.control("DELETE", "faults")
    sandbox.control("POST", "faults/error_503")
    result = deployment.run(windows, tags={name: tags[name] for name in FAILURE_TAGS})
    assert deployment.tags_of(result)[run_tags.FAILURE] == "provider_unavailable"
    assert deployment.tags_of(result)[run_tags.PERMANENT] == "false"


def test_a_profile_with_several_problems_is_still_one_line() -> None:
    @dg.asset
    def failing(context: dg.AssetExecutionContext) -> None:
        with explained(context):
            raise ProfileError("profile.yaml: name: missing\nprofile.yaml: list.path: missing")

    with dg.DagsterInstance.ephemeral() as instance:
        result = dg.materialize([failing], raise_on_error=False, instance=instance)
    (event,) = [event for event in result.all_events if event.is_step_failure]
    data = event.step_failure_data.user_failure_data
    assert data is not None
    assert re.fullmatch(
        r"profile unusable since .* UTC \(no window yet\): profile.yaml: name: missing; "
        r"profile.yaml: list.path: missing; needs you: correct the profile or its variables",
        str(data.description),
    )
    assert "\n" in str(data.metadata["reason"].value)


def test_a_minute_later_the_sentence_still_tells_the_beginning(deployment: Deployment, sandbox: SandboxServer) -> None:
    sandbox.control("POST", "faults/expired_token")
    windows = last_windows(2)
    first = deployment.failure(deployment.tick(windows[0]))
    begun = timestamps.parse_instant(history.finished(deployment.instance, limit=1)[0].tags[run_tags.FAILING_SINCE])
    second = deployment.failure(deployment.tick(windows[1]))
    for failure in (first, second):
        assert f"since {begun:%Y-%m-%d %H:%M} UTC" in str(failure.description)
        assert abs(float(str(failure.metadata["since"].value)) - begun.timestamp()) < timedelta(seconds=1).seconds


def test_a_run_whose_inherited_tags_cannot_be_overwritten_goes_on(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise OSError("database is locked")

    monkeypatch.setattr(dg.DagsterInstance, "add_run_tags", broken)
    assert deployment.run(last_windows(1), tags={run_tags.FAILURE: "provider_rejected"}).success
