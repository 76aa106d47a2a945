"""Every style and way of authentication of the sandbox provider, with its faults: no row lost, or the right error."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from customer_pipeline.provider.client import ProviderClient
from customer_pipeline.provider.errors import (
    ProviderError,
    ProviderMisbehaved,
    ProviderRejected,
    ProviderThrottled,
    ProviderUnavailable,
)
from customer_pipeline.provider.profile import Profile
from customer_pipeline.provider.walk import Walk
from customer_pipeline.sandbox.world import Settings
from customer_pipeline.windows import Window
from customer_pipeline_tests.provider.wire import Server, Sleeps, page
from customer_pipeline_tests.sandbox.running import RunningSandbox

BEGINNING = datetime(2000, 1, 1, tzinfo=UTC)
STYLES: dict[str, dict[str, Any]] = {
    "page_number": {"page_param": "page"},
    "offset": {},
    "cursor": {"cursor": "next_cursor"},
    "next_link": {"link": "next"},
    "link_header": {},
    "next_header": {"header": "X-Next"},
    "last_id": {},
}
AUTHS: dict[str, dict[str, Any]] = {
    "none": {"type": "none"},
    "bearer": {"type": "bearer", "token": "${TOKEN}"},
    "api-key-header": {"type": "api_key", "name": "X-Api-Key", "value": "${TOKEN}"},
    "api-key-query": {"type": "api_key", "name": "api_key", "in": "query", "value": "${TOKEN}"},
    "basic": {"type": "basic", "username": "sandbox", "password": "${TOKEN}"},
}
ORDERS = {"updated_at": "ascending", "-updated_at": "descending", "id": "unspecified", "none": "unspecified"}


@pytest.fixture(scope="module")
def running() -> Iterator[RunningSandbox]:
    with RunningSandbox(Settings(customers=90, changes_per_minute=0)) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(running: RunningSandbox) -> Iterator[RunningSandbox]:
    yield running
    running.clear()


def client(
    sandbox: RunningSandbox,
    style: str,
    *,
    auth: str = "none",
    sort: str = "id",
    query: dict[str, str] | None = None,
    sleeps: Sleeps | None = None,
    **changes: Any,
) -> ProviderClient:
    bounds = {"updated_from": "{since}", "updated_to": "{until}"} if query is None else query
    content = {
        "name": "sandbox",
        "base_url": sandbox.url,
        "auth": AUTHS[auth],
        "list": {"path": f"/{auth}/{style}/customers", "query": {"sort": sort, **bounds}, "records": "items"},
        "pagination": {
            "style": style, **STYLES[style], "order": ORDERS[sort], "size_param": "per_page", "size": 20,
            "max_passes": 30,
        },
        "timeouts": {"connect": "1s", "read": "1s", "total": "2s"},
        "retry": {"attempts": 1},
        "fields": {"id": "id", "updated_at": "updated_at"},
    }  # fmt: skip
    profile = Profile.model_validate({**content, **changes})
    return ProviderClient(profile, {"TOKEN": "sandbox-token"}, sleep=sleeps or Sleeps())


def everything(opened: ProviderClient) -> tuple[list[dict[str, Any]], Walk]:
    walk = opened.walk(Window(BEGINNING, datetime.now(UTC)))
    return [json.loads(text) for each in walk for text in each.records], walk


def failure(opened: ProviderClient) -> ProviderError:
    with opened, pytest.raises(ProviderError) as raised:
        everything(opened)
    return raised.value


def states(sandbox: RunningSandbox) -> set[tuple[str, str]]:
    return {(customer["id"], customer["updated_at"]) for customer in sandbox.truth()}


@pytest.mark.parametrize("auth", AUTHS)
@pytest.mark.parametrize("style", STYLES)
def test_every_style_and_auth_brings_every_customer_once(sandbox: RunningSandbox, style: str, auth: str) -> None:
    with client(sandbox, style, auth=auth) as opened:
        records, walk = everything(opened)
    assert {(record["id"], record["updated_at"]) for record in records} == states(sandbox)
    assert len(records) == walk.stats.rows == len(sandbox.truth())
    assert walk.stats.clock_difference is not None
    assert abs(walk.stats.clock_difference) < timedelta(seconds=2)


EDITS = [("first", "edit"), ("next", "edit"), ("first", "delete"), ("last", "delete")]
KEYSETS = [(style, "keyset") for style in STYLES]
POSITIONS_IN_DISGUISE = [(style, "offset") for style in ("cursor", "next_link", "link_header", "next_header")]


@pytest.mark.parametrize("change", EDITS)
@pytest.mark.parametrize("sort", ["updated_at", "-updated_at", "id"])
@pytest.mark.parametrize("pages", KEYSETS + POSITIONS_IN_DISGUISE)
def test_no_customer_is_lost_when_others_change_during_the_walk(
    sandbox: RunningSandbox, pages: tuple[str, str], sort: str, change: tuple[str, str]
) -> None:
    (style, cursor_kind), (which, kind) = pages, change
    query = {"updated_from": "{since}", "updated_to": "{until}", "cursor_kind": cursor_kind, "total": "true"}
    while len(sandbox.truth()) < 90:
        sandbox.control("POST", "/customers", json={"id": f"again-{datetime.now(UTC).timestamp()}"})
    before = states(sandbox)
    sandbox.fault("edits_during_walk", which=which, kind=kind, count=2, total=6)
    with client(sandbox, style, sort=sort, query=query) as opened:
        records, _ = everything(opened)
    untouched = before & states(sandbox)
    assert len(untouched) < len(before)
    assert untouched <= {(record["id"], record["updated_at"]) for record in records}


@pytest.mark.parametrize("kind", ["same", "restart"])
@pytest.mark.parametrize("style", STYLES)
def test_a_loop_is_misbehaviour(sandbox: RunningSandbox, style: str, kind: str) -> None:
    sandbox.fault("looping_cursor", kind=kind)
    error = failure(client(sandbox, style))
    assert isinstance(error, ProviderMisbehaved)
    assert "loop" in error.reason or "returned before" in error.reason


@pytest.mark.parametrize("style", STYLES)
def test_pages_that_repeat_are_misbehaviour(sandbox: RunningSandbox, style: str) -> None:
    sandbox.fault("page_repeats")
    error = failure(client(sandbox, style))
    assert isinstance(error, ProviderMisbehaved)
    assert "loop" in error.reason or "returned before" in error.reason


def test_a_filter_that_is_ignored_is_misbehaviour(sandbox: RunningSandbox) -> None:
    sandbox.fault("filter_ignored")
    opened = client(sandbox, "cursor")
    with opened, pytest.raises(ProviderMisbehaved, match="ignores the filter"):
        list(opened.walk(Window(BEGINNING, BEGINNING + timedelta(hours=1))))


@pytest.mark.parametrize(
    ("fault", "options", "kind", "reason"),
    [
        ("truncated", {"kind": "length"}, ProviderUnavailable, "the answer broke off"),
        ("truncated", {"kind": "json"}, ProviderMisbehaved, "not usable as JSON"),
        ("html", {}, ProviderMisbehaved, "the answer is text/html, not JSON"),
        ("html_500", {}, ProviderUnavailable, "the provider is unavailable"),
        ("error_500", {}, ProviderUnavailable, "the provider is unavailable"),
        ("error_503", {}, ProviderUnavailable, "the provider is unavailable"),
        ("down", {}, ProviderUnavailable, "refused or cut"),
        ("hang", {}, ProviderUnavailable, "within the timeouts"),
        ("slow", {"seconds": 3}, ProviderUnavailable, "within the timeouts"),
        ("slow", {"seconds": 0, "chunks": 100, "pause": 0.05}, ProviderUnavailable, "within the timeouts"),
        ("throttle", {}, ProviderThrottled, "the provider throttles"),
        ("redirect_foreign", {}, ProviderMisbehaved, "leads away"),
        ("foreign_link", {}, ProviderMisbehaved, "leads away"),
    ],
)
def test_a_fault_is_the_right_error(
    sandbox: RunningSandbox, fault: str, options: dict[str, Any], kind: type[ProviderError], reason: str
) -> None:
    sandbox.fault(fault, **options)
    error = failure(client(sandbox, "next_link"))
    assert type(error) is kind
    assert reason in error.reason
    assert (error.request.status is None) or error.request.request_id is not None or fault == "slow"


@pytest.mark.parametrize("auth", [auth for auth in AUTHS if auth != "none"])
def test_an_expired_token_is_a_rejection_even_in_the_middle(sandbox: RunningSandbox, auth: str) -> None:
    for after in (0, 2):
        sandbox.fault("expired_token", after=after)
        error = failure(client(sandbox, "cursor", auth=auth))
        assert isinstance(error, ProviderRejected)
        assert error.request.status == 401


@pytest.mark.parametrize("fault", ["throttle_retry_after", "error_503_retry_after"])
@pytest.mark.parametrize("form", ["seconds", "date"])
@pytest.mark.parametrize("skew", [False, True])
def test_a_wait_is_kept_by_the_providers_clock(
    sandbox: RunningSandbox,
    fault: str,
    form: str,
    skew: bool,  # noqa: FBT001
) -> None:
    if skew:
        sandbox.fault("clock_skew", seconds=3600)
    sandbox.fault(fault, form=form, seconds=30, times=1)
    sleeps = Sleeps()
    retry = {"attempts": 2, "base": "0s", "budget": "60s"}
    with client(sandbox, "cursor", sleeps=sleeps, retry=retry) as opened:
        records, walk = everything(opened)
    assert len(records) == len(sandbox.truth())
    assert walk.stats.retries == 1
    assert sleeps.seconds == [pytest.approx(30, abs=1)]


def test_a_clock_that_is_ahead_is_measured_and_its_edits_are_no_poison(sandbox: RunningSandbox) -> None:
    sandbox.fault("clock_skew", seconds=3600)
    sandbox.control("POST", "/customers", json={"id": "from-the-future"})
    with client(sandbox, "cursor", query={}) as opened:
        records, walk = everything(opened)
    sandbox.control("DELETE", "/customers/from-the-future", params={"hard": 1})
    assert len(records) == len(sandbox.truth())
    assert walk.stats.clock_difference is not None
    assert abs(walk.stats.clock_difference - timedelta(hours=1)) < timedelta(seconds=2)


def test_a_slow_answer_within_the_timeouts_is_waited_for(sandbox: RunningSandbox) -> None:
    sandbox.fault("slow", seconds=0.1, chunks=3, pause=0.02)
    with client(sandbox, "cursor") as opened:
        assert len(everything(opened)[0]) == len(sandbox.truth())


@pytest.mark.parametrize(("fault", "style"), [("foreign_link", "next_link"), ("redirect_foreign", "cursor")])
def test_nothing_is_sent_to_a_foreign_server(sandbox: RunningSandbox, fault: str, style: str) -> None:
    with Server(page()) as foreign:
        sandbox.fault(fault, to=foreign.url)
        error = failure(client(sandbox, style, auth="bearer"))
        assert isinstance(error, ProviderMisbehaved)
        assert foreign.connections == 0
