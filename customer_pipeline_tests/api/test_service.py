"""Health, freshness, metrics, the reference, and what is on every answer."""

import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import orjson
import pytest

from customer_pipeline.cache.connection import Connection
from customer_pipeline.cache.coverage import Coverage
from customer_pipeline.cache.publisher import Publisher
from customer_pipeline.timestamps import format_instant, now
from customer_pipeline.windows import WINDOW_LENGTH, Window, floor
from customer_pipeline_tests.api.serving import KEYS, ApiServer, deleted, live
from customer_pipeline_tests.servers import ValkeyServer, wait_until

EVERYWHERE = ["/healthz", "/readyz", "/v1/customers/c", "/v1/customers?limit=0", "/v1/freshness", "/nothing", "/docs"]


def published(connection: Connection, *, ago: timedelta) -> str:
    """Cover one window that ended so long ago; return its end."""
    end = floor(now() - ago)
    Coverage(connection, keys=KEYS).extend([Window(end - WINDOW_LENGTH, end)])
    return format_instant(end)


def header_is(api: ApiServer, path: str, as_of: str | None, stale: str | None) -> Callable[[], bool]:
    def holds() -> bool:
        headers = api.get(path).headers
        return (headers.get("Customers-As-Of"), headers.get("Customers-Stale")) == (as_of, stale)

    return holds


@pytest.mark.parametrize("path", EVERYWHERE)
def test_every_answer_says_how_far_the_cache_is_true(api: ApiServer, connection: Connection, path: str) -> None:
    wait_until(header_is(api, path, None, "true"), what="the state before the first publication")
    as_of = published(connection, ago=timedelta(minutes=3))
    wait_until(header_is(api, path, as_of, None), what="the fresh state")


def test_a_stale_cache_says_so_and_is_served(api: ApiServer, publisher: Publisher, connection: Connection) -> None:
    publisher.publish([live("c")])
    as_of = published(connection, ago=timedelta(hours=1))
    wait_until(header_is(api, "/v1/customers/c", as_of, "true"), what="the stale state")
    assert api.get("/v1/customers/c").status_code == 200


def test_when_it_is_stale_can_be_set(valkey: ValkeyServer, connection: Connection, tmp_path: Path) -> None:
    as_of = published(connection, ago=timedelta(hours=1))
    with ApiServer(tmp_path, valkey.url, API_STALE_AFTER_MINUTES="120") as api:
        wait_until(header_is(api, "/healthz", as_of, None), what="the state")


def test_the_freshness_is_that_of_the_cache(api: ApiServer, connection: Connection) -> None:
    nothing: dict[str, object] = {
        "as_of": None,
        "latest": None,
        "gaps": [],
        "stale_since": None,
        "published_at": None,
        "stale": True,
    }
    assert api.get("/v1/freshness").json() == nothing
    published(connection, ago=timedelta(hours=2))
    published(connection, ago=timedelta(minutes=1))
    said = api.get("/v1/freshness").json()
    assert said == {**orjson.loads(connection.get(KEYS.freshness) or b""), "stale": True}
    assert len(said["gaps"]) == 1


def test_something_else_under_the_key_of_the_freshness_is_503_and_no_500(
    api: ApiServer, connection: Connection
) -> None:
    connection.set(KEYS.freshness, b"[]")
    assert api.get("/v1/freshness").status_code == 503
    assert api.get("/v1/customers/c").status_code == 404


def test_it_is_ready_when_the_cache_answers(api: ApiServer) -> None:
    assert api.get("/readyz", key="").json() == {"status": "ready"}


def test_the_metrics_count_by_route_and_say_how_old_the_cache_is(
    api: ApiServer, publisher: Publisher, connection: Connection
) -> None:
    def number(name: str) -> float:
        found = re.search(rf"^{re.escape(name)} (.+)$", api.get("/metrics").text, re.MULTILINE)
        return float(found[1]) if found else 0.0

    ok = 'customers_api_requests_total{route="/v1/customers/{customer_id}",status="200"}'
    names = [ok, *(f'customers_api_reads_total{{found="{each}"}}' for each in ("live", "deleted", "unknown"))]
    names.append('customers_api_request_seconds_count{route="/v1/customers/{customer_id}"}')
    names.append('customers_api_requests_total{route="other",status="404"}')
    before = [number(name) for name in names]
    publisher.publish([live("c"), deleted("gone")])
    published(connection, ago=timedelta(hours=2))
    for customer_id in ("c", "gone", "nobody"):
        api.get(f"/v1/customers/{customer_id}")
    api.get("/somewhere/else")
    api.get("/v1/customers", ids="c,nobody")
    assert [number(name) - was for name, was in zip(names, before, strict=True)] == [1, 2, 1, 2, 3, 1]
    published(connection, ago=timedelta(minutes=1))
    wait_until(lambda: number("customers_api_coverage_gaps") == 1, what="the count of gaps")
    assert 7000 < number("customers_api_freshness_lag_seconds") < 8400


def test_the_reference_needs_no_other_address(api: ApiServer) -> None:
    page = api.get("/docs", key="")
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    named = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(named) == 4
    for path in named:
        assert path.startswith("/docs/")
        assert api.get(path, key="").status_code == 200
    assert "script-src 'self';" in page.headers["Content-Security-Policy"]
    assert "<script>" not in page.text
    assert api.get("/docs/other.js", key="").status_code == 404
    assert api.get("/docs/../settings.py", key="").status_code == 401


def test_every_kind_of_problem_is_explained_where_its_type_points(api: ApiServer) -> None:
    page = api.get("/docs/problems", key="").text
    for path in ("/v1/customers/nobody", "/v1/customers?limit=0"):
        kind = api.get(path).json()["type"]
        assert kind.startswith("/docs/problems#")
        assert f'id="{kind.partition("#")[2]}"' in page
