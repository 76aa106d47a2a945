from urllib.parse import quote

import orjson
import pytest

from customer_pipeline.cache.connection import Connection
from customer_pipeline.cache.publisher import Publisher
from customer_pipeline.cache.removal import remove
from customer_pipeline_tests.api.serving import KEYS, ApiServer, deleted, document, live

PATH = "/v1/customers/{}"


def raw_body(api: ApiServer, path: str) -> bytes:
    response = api.get(path, headers={"Accept-Encoding": "identity"})
    assert response.status_code == 200
    return response.content


def test_the_body_is_the_document_byte_for_byte(api: ApiServer, publisher: Publisher, connection: Connection) -> None:
    state = live("cus_1", name="Zoë \u202fO\u2019Neil 🦊", attributes={"big": 12345678901234567890123})
    publisher.publish([state])
    body = raw_body(api, PATH.format("cus_1"))
    assert body == state.document == connection.get(KEYS.document("cus_1"))


def test_an_unknown_customer_is_404_and_a_deleted_one_410(api: ApiServer, publisher: Publisher) -> None:
    publisher.publish([live("gone"), deleted("gone", updated_at="2026-11-24T07:50:00.000000Z")])
    for customer_id, status, kind in (("nobody", 404, "not-found"), ("gone", 410, "deleted")):
        response = api.get(PATH.format(customer_id))
        assert response.status_code == status
        assert response.headers["Content-Type"] == "application/problem+json"
        assert response.json()["type"] == f"/docs/problems#{kind}"
        assert response.json()["request_id"] == response.headers["X-Request-Id"]
        assert customer_id not in response.text
        assert response.headers["Cache-Control"] == "private, no-store"


def test_an_erased_customer_is_unknown(api: ApiServer, publisher: Publisher, connection: Connection) -> None:
    publisher.publish([live("erased")])
    remove(connection, "erased", keys=KEYS)
    assert api.get(PATH.format("erased")).status_code == 404


@pytest.mark.parametrize(
    "customer_id",
    ["a/b", "a b", "a?b#c", "ü/é", "100%", "a,b", "a+b", ".", "x/../y", "{a}", "lookup/", "a\\b", "🦊" * 512],
)
def test_every_usable_id_can_be_read_by_its_path(api: ApiServer, publisher: Publisher, customer_id: str) -> None:
    publisher.publish([live(customer_id)])
    # A client would resolve dots that stand alone, so they are encoded too.
    path = quote(customer_id, safe="").replace(".", "%2E")
    assert orjson.loads(raw_body(api, PATH.format(path)))["id"] == customer_id


@pytest.mark.parametrize("path", ["%00", "%0a", "%7d", "%7Dx", "%20", "x" * 513, "%ff%fe"])
def test_what_no_customer_can_be_called_is_404(api: ApiServer, path: str) -> None:
    assert api.get(PATH.format(path)).status_code == 404


def test_something_that_the_pipeline_did_not_write_is_not_served(api: ApiServer, connection: Connection) -> None:
    connection.set(KEYS.document("strange"), b'{"secret":1}')
    connection.lpush(KEYS.document("list"), "x")
    assert api.get(PATH.format("strange")).status_code == 404
    assert api.get(PATH.format("list")).status_code == 404


def test_the_tag_changes_with_every_byte_although_the_version_is_the_same(
    api: ApiServer, connection: Connection
) -> None:
    tags = set()
    for name in ("before", "after the correction"):
        connection.set(KEYS.document("c"), document("c", name=name))
        response = api.get(PATH.format("c"))
        tags.add(response.headers["ETag"])
        assert response.headers["ETag"].startswith('"2026-11-23T07:50:00.000000Z/2026-11-23T08:00:01.250000Z/')
        assert response.headers["Last-Modified"] == "Mon, 23 Nov 2026 07:50:00 GMT"
        assert response.headers["Cache-Control"] == "private, no-cache"
    assert len(tags) == 2


def test_a_client_that_has_the_customer_gets_304_without_a_body(api: ApiServer, publisher: Publisher) -> None:
    publisher.publish([live("c")])
    tag = api.get(PATH.format("c"), headers={"Accept-Encoding": "identity"}).headers["ETag"]
    plain = tag.strip('"')
    for known in (tag, f"W/{tag}", f'"x", {tag}', f'"{plain}-gzip"', "*", f'W/"a" , W/"{plain}"'):
        response = api.get(PATH.format("c"), headers={"If-None-Match": known})
        assert (response.status_code, response.content) == (304, b""), known
        assert response.headers["ETag"]
        assert "Content-Type" not in response.headers
    for other in ('"x"', plain, f'"{plain}x"', ""):
        assert api.get(PATH.format("c"), headers={"If-None-Match": other}).status_code == 200, other


def test_a_deleted_customer_is_not_what_the_client_has(api: ApiServer, publisher: Publisher) -> None:
    publisher.publish([deleted("gone")])
    assert api.get(PATH.format("gone"), headers={"If-None-Match": "*"}).status_code == 410


def test_an_older_date_gives_no_304_since_a_corrected_customer_keeps_it(api: ApiServer, publisher: Publisher) -> None:
    publisher.publish([live("c")])
    headers = {"If-Modified-Since": "Mon, 23 Nov 2026 07:50:00 GMT"}
    assert api.get(PATH.format("c"), headers=headers).status_code == 200


def test_what_is_large_is_compressed_for_who_reads_that(api: ApiServer, publisher: Publisher) -> None:
    state = live("c", name="x" * 5000)
    publisher.publish([state])
    packed = api.get(PATH.format("c"), headers={"Accept-Encoding": "br, gzip;q=0.5"})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert packed.content == state.document
    assert int(packed.headers["Content-Length"]) < 1000
    plain = api.get(PATH.format("c"), headers={"Accept-Encoding": "gzip;q=0, br"})
    assert "Content-Encoding" not in plain.headers
    for said, coding in (
        ("*, gzip;q=0", None),
        ("*;q=0, gzip", "gzip"),
        ("*", "gzip"),
        ("x-gzip", None),
        ("*;q=0.0", None),
    ):
        found = api.get(PATH.format("c"), headers={"Accept-Encoding": said})
        assert found.headers.get("Content-Encoding") == coding, said
    assert plain.content == state.document
    assert packed.headers["ETag"].strip('"') == plain.headers["ETag"].strip('"') + "-gzip"
    assert "accept-encoding" in packed.headers["Vary"]
