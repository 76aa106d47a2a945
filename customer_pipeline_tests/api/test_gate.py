"""Who is let in, and for what. The API runs in a process of its own."""

import re
import stat
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
import requests

from customer_pipeline import cli
from customer_pipeline.api.credentials import Scope
from customer_pipeline.cache.publisher import Publisher
from customer_pipeline.timestamps import now
from customer_pipeline_tests.api.serving import ApiServer, live
from customer_pipeline_tests.servers import ValkeyServer, wait_until

CUSTOMER = "/v1/customers/c"
NEEDED = {
    "/v1/customers/c": Scope.READ,
    "/v1/customers": Scope.READ,
    "/v1/customers/lookup?email=a@example.org": Scope.LOOKUP,
    "/v1/changes": Scope.CHANGES,
    "/metrics": Scope.METRICS,
}
GUARDED = [
    *NEEDED,
    "/v1/freshness",
    "/v1",
    "/",
    "/v2/customers",
    "/docs",
    "/docs/problems",
    "/openapi.json",
    "/healthz/",
]


def status_of(api: ApiServer, path: str, key: str) -> int:
    with requests.get(f"{api.url}{path}", headers={"Authorization": f"Bearer {key}"}, timeout=10, stream=True) as found:
        return found.status_code


def is_read(api: ApiServer, key: str) -> bool:
    return status_of(api, "/v1/freshness", key) == 200


def test_without_any_key_everything_but_health_is_401(valkey: ValkeyServer, tmp_path: Path) -> None:
    with ApiServer(tmp_path, valkey.url) as api:
        known = api.key
        api.keys_file.unlink()
        wait_until(lambda: api.get("/docs", key="").status_code == 401, what="the loss of the keys")
        for path in GUARDED:
            for key in ("", known):
                response = api.get(path, key=key)
                assert response.status_code == 401, path
                assert response.headers["WWW-Authenticate"].startswith("Bearer ")
                assert response.headers["Content-Type"] == "application/problem+json"
        assert api.get("/healthz", key="").json() == {"status": "ok"}
        assert api.get("/readyz", key="").status_code == 503


@pytest.mark.parametrize("path", [path for path in GUARDED if not path.startswith(("/docs", "/openapi"))])
def test_without_a_key_nothing_is_told(api: ApiServer, path: str) -> None:
    response = api.get(path, key="")
    assert response.status_code == 401
    assert "invalid_token" not in response.headers["WWW-Authenticate"]


@pytest.mark.parametrize("path", ["/docs", "/docs/problems", "/docs/swagger-ui-bundle.js", "/openapi.json"])
def test_the_reference_is_for_everybody_once_there_is_a_key(api: ApiServer, path: str) -> None:
    assert api.get(path, key="").status_code == 200


def test_a_key_that_is_not_known_is_refused(api: ApiServer) -> None:
    kind, key_id, secret = api.key.split("_", 2)
    other = "A" if secret[0] != "A" else "B"
    for text in (
        f"{kind}_{key_id}_{other}{secret[1:]}",
        f"{kind}_{'a' * 8}_{secret}",
        f"{kind}_{key_id}_{secret}x",
        f"{kind}_{key_id}_{secret[:-1]}",
        secret,
        "null",
        "ü".encode().decode("latin-1"),
    ):
        response = api.get(CUSTOMER, key=text)
        assert response.status_code == 401
        assert 'error="invalid_token"' in response.headers["WWW-Authenticate"]
    for header in (f"Basic {api.key}", api.key, "Bearer"):
        assert api.get(CUSTOMER, key="", headers={"Authorization": header}).status_code == 401
    assert api.get(CUSTOMER, key="", headers={"Authorization": f"bearer {api.key}"}).status_code == 404


@pytest.mark.parametrize("scope", list(Scope))
def test_a_key_may_do_what_its_scope_says_and_nothing_else(api: ApiServer, scope: Scope) -> None:
    key = api.add_key(scope, name=f"only-{scope}")
    wait_until(lambda: status_of(api, "/v1/freshness", key) == 200, what="the reading of the key")
    for path, needed in NEEDED.items():
        if needed is not scope:
            response = api.get(path, key=key)
            assert response.status_code == 403, path
            assert f'error="insufficient_scope", scope="{needed}"' in response.headers["WWW-Authenticate"]
        else:
            assert status_of(api, path, key) in {200, 404}


@pytest.mark.parametrize("end", ["%0A", "%0D", "%00", "/", "//"])
def test_no_scope_is_got_round_by_what_a_path_ends_with(api: ApiServer, publisher: Publisher, end: str) -> None:
    publisher.publish([live("c", email="a@example.org")])
    for scope in Scope:
        key = api.add_key(scope, name=f"only-{scope}")
        wait_until(partial(is_read, api, key), what="the reading of the key")
        for target in NEEDED:
            path, _, query = target.partition("?")
            assert status_of(api, f"{path}{end}?{query}&limit=5", key) in {403, 404}, path


def test_an_expired_key_is_refused_and_a_revoked_one_a_second_later(api: ApiServer) -> None:
    expired = api.add_key(Scope.READ, expires_at=now())
    fresh = api.add_key(Scope.READ, name="short", expires_at=now() + timedelta(days=1))
    wait_until(lambda: status_of(api, CUSTOMER, fresh) == 404, what="the reading of the key")
    assert api.get(CUSTOMER, key=expired).json()["detail"] == "The key has expired."
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("API_KEYS_FILE", str(api.keys_file))
        assert cli.main(["api-key", "revoke", "short"]) == 0
    wait_until(lambda: status_of(api, CUSTOMER, fresh) == 401, what="the revocation", timeout=5)


def test_a_file_of_keys_that_holds_something_else_lets_nobody_in(valkey: ValkeyServer, tmp_path: Path) -> None:
    with ApiServer(tmp_path, valkey.url) as api:
        content = api.keys_file.read_text()
        assert api.get(CUSTOMER).status_code == 404
        for damaged in (content[:-10], "[" * 200_000, '{"keys": [null]}'):
            api.keys_file.write_text(damaged)
            wait_until(lambda: api.get(CUSTOMER).status_code == 401, what="the refusal", timeout=5)
            assert "nobody is let in: the file of the keys holds something else" in api.log_text()
            api.keys_file.write_text(content)
            wait_until(lambda: api.get(CUSTOMER).status_code == 404, what="the recovery")


def test_who_asks_too_often_is_told_when_to_come_back(valkey: ValkeyServer, tmp_path: Path) -> None:
    with ApiServer(tmp_path, valkey.url, API_REQUESTS_PER_MINUTE="3") as api:
        other = api.add_key(Scope.READ, name="other")
        answers = [api.get(CUSTOMER) for _ in range(4)]
        assert [each.status_code for each in answers] == [404, 404, 404, 429]
        assert answers[0].headers["RateLimit-Policy"] == '"key";q=3;w=60'
        assert answers[0].headers["RateLimit"] == '"key";r=2;t=20'
        assert answers[3].headers["RateLimit"].startswith('"key";r=0;t=')
        assert 1 <= int(answers[3].headers["Retry-After"]) <= 20
        assert answers[3].json()["type"] == "/docs/problems#too-many-requests"
        wait_until(lambda: api.get(CUSTOMER, key=other).status_code == 404, what="the reading of the other key")
        assert api.get("/healthz", key="").status_code == 200


def test_a_refused_key_counts_too(valkey: ValkeyServer, tmp_path: Path) -> None:
    with ApiServer(tmp_path, valkey.url, API_REQUESTS_PER_MINUTE="2") as api:
        key = api.add_key(Scope.READ, name="reader")
        wait_until(lambda: api.get("/metrics", key=key).status_code == 429, what="the end of the requests", timeout=10)


def test_the_logs_hold_no_customer_and_no_key(valkey: ValkeyServer, publisher: Publisher, tmp_path: Path) -> None:
    publisher.publish([live("cus_secret")])
    with ApiServer(tmp_path, valkey.url) as api:
        api.get("/v1/customers/cus_secret", headers={"X-Request-Id": "trace-1"})
        api.get("/v1/customers/cus_unknown_secret")
        api.get("/v1/customers", ids="cus_secret")
        api.get("/v1/customers/lookup", email="ada.secret@example.org")
        api.get("/v1/customers/lookup", phone="not a number secret")
        api.get("/secret/path", headers={"X-Request-Id": "ada.secret@example.org"})
        numbers = api.get("/metrics").text
        log = api.log_text()
    assert "/v1/customers/{customer_id} 200" in log
    assert f"key={api.key.split('_')[1]} request=trace-1" in log
    for text in (log, numbers):
        assert "secret" not in text
        assert api.key.split("_", 2)[2] not in text


def test_every_answer_has_the_security_headers(api: ApiServer) -> None:
    for path in ("/healthz", CUSTOMER, "/nothing", "/docs", "/v1/customers?limit=0"):
        headers = api.get(path).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
        assert headers["Strict-Transport-Security"]
        assert "Server" not in headers
        assert re.fullmatch("[0-9a-f]{32}", headers["X-Request-Id"])


def test_only_listed_origins_may_read_in_a_browser(valkey: ValkeyServer, tmp_path: Path) -> None:
    origin = "https://app.example.org"
    with ApiServer(tmp_path, valkey.url, API_CORS_ORIGINS=f"http://localhost:5173,{origin}") as api:
        asked = {"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "authorization"}
        preflight = requests.options(f"{api.url}{CUSTOMER}", headers={"Origin": origin, **asked}, timeout=10)
        assert preflight.status_code == 204
        assert preflight.headers["Access-Control-Allow-Origin"] == origin
        assert "authorization" in preflight.headers["Access-Control-Allow-Headers"]
        allowed = api.get(CUSTOMER, headers={"Origin": origin}).headers
        assert allowed["Access-Control-Allow-Origin"] == origin
        assert "etag" in allowed["Access-Control-Expose-Headers"]
        assert "origin" in allowed["Vary"]
        for other in (f"{origin}.evil.example", "null", "http://app.example.org", "*"):
            refused = requests.options(f"{api.url}{CUSTOMER}", headers={"Origin": other, **asked}, timeout=10)
            assert refused.status_code == 401
            assert "Access-Control-Allow-Origin" not in refused.headers
            assert "Access-Control-Allow-Origin" not in api.get(CUSTOMER, headers={"Origin": other}).headers


def test_the_file_of_the_keys_is_for_its_owner_and_holds_no_secret(api: ApiServer) -> None:
    assert stat.S_IMODE(api.keys_file.stat().st_mode) == 0o600
    assert api.key.split("_", 2)[2] not in api.keys_file.read_text()
