"""A cache that is down, slow, in a cluster, or refuses."""

import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import requests

from customer_pipeline.cache.connection import connect
from customer_pipeline.cache.publisher import Publisher
from customer_pipeline_tests.api.listening import Client, change
from customer_pipeline_tests.api.serving import ApiServer, deleted, ids_of, live, put
from customer_pipeline_tests.cache.conftest import ValkeyCluster
from customer_pipeline_tests.servers import ValkeyServer, wait_until

CUSTOMER = "/v1/customers/c"
ASKING = [CUSTOMER, "/v1/customers", "/v1/customers?ids=c", "/v1/customers/lookup?email=a@example.com", "/v1/changes"]
ASKING += ["/v1/freshness", "/readyz"]


def timed(api: ApiServer, path: str) -> tuple[requests.Response, float]:
    started = time.monotonic()
    response = api.get(path)
    return response, time.monotonic() - started


def assert_unavailable(response: requests.Response) -> None:
    assert response.status_code == 503
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.headers["Retry-After"] == "1"
    assert "127.0.0.1" not in response.text


def test_a_stopped_cache_is_503_in_under_a_second_and_recovers_by_itself(tmp_path: Path) -> None:
    with ValkeyServer(tmp_path / "valkey") as valkey, ApiServer(tmp_path / "api", valkey.url) as api:
        assert api.get(CUSTOMER).status_code == 404
        valkey.kill()
        for path in ASKING:
            response, seconds = timed(api, path)
            assert_unavailable(response)
            assert seconds < 1, path
        assert api.get("/healthz").status_code == 200
        assert api.get("/docs").status_code == 200
        assert api.get("/metrics").status_code == 200
        valkey.start()
        wait_until(lambda: api.get(CUSTOMER).status_code == 404, what="the recovery", timeout=5)


def test_it_starts_while_the_cache_is_down(tmp_path: Path) -> None:
    valkey = ValkeyServer(tmp_path / "valkey")
    with ApiServer(tmp_path / "api", valkey.url) as api:
        assert_unavailable(api.get(CUSTOMER))
        with valkey:
            wait_until(lambda: api.get(CUSTOMER).status_code == 404, what="the recovery", timeout=5)
            with Client(api) as client:
                client.wait_for(1)


def test_a_cache_that_does_not_answer_is_503_in_under_a_second_for_everybody(tmp_path: Path) -> None:
    with ValkeyServer(tmp_path / "valkey") as valkey, ApiServer(tmp_path / "api", valkey.url) as api:
        assert api.get(CUSTOMER).status_code == 404
        assert valkey.process is not None
        valkey.process.send_signal(signal.SIGSTOP)
        try:
            with ThreadPoolExecutor(20) as pool:
                answers = list(pool.map(lambda number: timed(api, ASKING[number % len(ASKING)]), range(60)))
            assert api.get("/healthz").status_code == 200
        finally:
            valkey.process.send_signal(signal.SIGCONT)
        for response, seconds in answers:
            assert_unavailable(response)
            assert seconds < 1.5
        wait_until(lambda: api.get(CUSTOMER).status_code == 404, what="the recovery", timeout=5)


def test_a_cache_that_refuses_is_503_and_the_log_says_why(tmp_path: Path) -> None:
    with ValkeyServer(tmp_path / "valkey", "--requirepass", "secret-of-redis") as valkey:
        url = valkey.url.replace("//", "//:wrong-secret@")
        with ApiServer(tmp_path / "api", url) as api:
            assert_unavailable(api.get(CUSTOMER))
            log = api.log_text()
    assert "the cache refuses the user or the password" in log
    assert "secret" not in log


def test_a_user_with_the_rights_of_a_reader_is_enough(tmp_path: Path) -> None:
    with ValkeyServer(tmp_path / "valkey") as valkey, connect(valkey.url) as connection:
        put(connection, "c", email="ada@example.com")
        rights = ("~customer:*", "~customers:*", "+@read", "+@connection", "+evalsha", "+eval", "+info")
        connection.execute_command("ACL", "SETUSER", "reader", "on", ">pw", *rights)
        with ApiServer(tmp_path / "api", valkey.url.replace("//", "//reader:pw@")) as api:
            assert api.get(CUSTOMER).status_code == 200
            assert ids_of(api.get("/v1/customers").json()["customers"]) == ["c"]
            assert ids_of(api.get("/v1/customers/lookup", email="ada@example.com").json()["customers"]) == ["c"]
            with Client(api) as client:
                client.wait_for(1)
                change(connection, "d")
                assert client.wait_for(2)[1].customer == "d"


def test_a_cluster_is_read_like_one_server(valkey_cluster: ValkeyCluster, tmp_path: Path) -> None:
    names = [f"c{number:03d}" for number in range(120)]
    with connect(valkey_cluster.url) as connection:
        Publisher(connection).publish([*(live(name) for name in names), deleted("gone")])
        put(connection, "c000", email="ada@example.com")
        for url in (valkey_cluster.url, valkey_cluster.servers[0].url):
            with ApiServer(tmp_path / "api", url) as api:
                assert api.get("/v1/customers/c007").status_code == 200
                assert api.get("/v1/customers/gone").status_code == 410
                assert ids_of(api.get("/v1/customers", ids=",".join(names[:100])).json()["customers"]) == names[:100]
                assert ids_of(api.get("/v1/customers", limit=500).json()["customers"]) == names
                assert ids_of(api.get("/v1/customers/lookup", email="ada@example.com").json()["customers"]) == ["c000"]
                with Client(api) as client:
                    client.wait_for(1)
                    change(connection, "gone", "deleted")
                    assert client.wait_for(2)[1].customer == "gone"
