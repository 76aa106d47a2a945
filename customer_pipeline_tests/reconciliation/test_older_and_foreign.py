"""What a reconciliation makes of a provider that went back in time, and of what something else wrote into the cache."""

from pathlib import Path
from typing import Any, cast

import orjson
import pytest

from customer_pipeline.cache.connection import Connection
from customer_pipeline.cache.errors import CacheRejected
from customer_pipeline.cache.publisher import Outcomes
from customer_pipeline.reconciliation.kinds import Kind
from customer_pipeline_tests.reconciliation.conftest import CUSTOMERS
from customer_pipeline_tests.reconciliation.scenes import KEYS, Scene, profile_of
from customer_pipeline_tests.reconciliation.test_reconciling import found
from customer_pipeline_tests.sandbox.running import RunningSandbox

FUTURE = "2099-01-01T00:00:00.000000Z"
PAST = "2026-11-01T00:00:00.000000Z"


def backup(scene: Scene, name: str) -> dict[str, Any]:
    (one,) = [one for one in scene.sandbox.truth() if one["id"] == name]
    return one


def restore(scene: Scene, one: dict[str, Any]) -> None:
    """Bring the provider back to how it was."""
    scene.delete(one["id"], hard=True)
    scene.sandbox.control("POST", "/customers", params={"updated_at": one["updated_at"]}, json=dict(one["record"]))


def change(scene: Scene, name: str, how: str) -> None:
    if how == "edited":
        scene.edit(name, status="edited", contact={"email": "newer@example.com", "phone": "+41446681802"})
    else:
        scene.delete(name, hard=False)
    scene.publisher.publish(scene.states().values())


@pytest.mark.parametrize("how", ["edited", "deleted"])
def test_what_is_older_at_the_provider_does_not_agree_and_is_left_to_a_person(each_scene: Scene, how: str) -> None:
    scene, connection = each_scene, each_scene.connection
    old = backup(scene, "cus_00001")
    change(scene, "cus_00001", how)
    restore(scene, old)
    scene.edit("cus_00002", status="edited")

    checked = scene.reconcile(check_only=True)
    report = scene.reconcile()

    assert found(report) == found(checked) == {"agrees": CUSTOMERS - 2, "stale": 1, "older_at_provider": 1}
    assert report.samples[Kind.OLDER_AT_PROVIDER] == ("cus_00001",)
    assert not checked.agrees
    assert not report.agrees
    assert report.outcomes == Outcomes(applied=1), "the older one was not sent"
    assert "the others were published, 1 remain" in report.said
    assert not scene.agrees()

    connection.delete(KEYS.document("cus_00001"), KEYS.tombstone("cus_00001"))
    assert scene.reconcile().agrees
    assert scene.agrees()
    assert found(scene.reconcile(check_only=True)) == {"agrees": CUSTOMERS}


def test_a_record_of_the_future_in_the_cache_is_no_live_window_that_was_faster(scene: Scene) -> None:
    stored = cast("bytes", scene.connection.get(KEYS.document("cus_00001")))
    forged = stored.replace(stored[12:67], f"{FUTURE}/{FUTURE}".encode(), 1)
    scene.connection.set(KEYS.document("cus_00001"), forged)
    scene.connection.delete(KEYS.document("cus_00002"))
    scene.connection.zrem(KEYS.by_updated_at, "cus_00002")
    scene.connection.set(KEYS.tombstone("cus_00002"), f"{FUTURE}/{FUTURE}")
    report = scene.reconcile()
    assert found(report) == {"agrees": CUSTOMERS - 2, "older_at_provider": 2}
    assert not report.agrees


def test_a_page_that_was_asked_for_before_the_walk_and_answered_after_is_no_difference(scene: Scene) -> None:
    """Its record carries the earlier time; the walk of what changed meanwhile shows the same record."""
    early = scene.states()

    def a_live_window_is_faster() -> None:
        fetched_at = early["cus_00001"].version[28:]
        scene.edit("cus_00001", status="edited meanwhile")
        edited = scene.states()["cus_00001"]
        version = f"{edited.version[:28]}{fetched_at}"
        document = cast("bytes", edited.document).replace(edited.version.encode(), version.encode())
        scene.publisher.publish([edited._replace(version=version, document=document)])

    scene.meanwhile = a_live_window_is_faster
    report = scene.reconcile()
    assert found(report) == {"agrees": CUSTOMERS}
    assert report.agrees
    assert scene.agrees()


GHOSTS: dict[str, tuple[bytes | str, str]] = {
    "no version": (b'{"id":"ghost","name":"somebody"}', ""),
    "nothing": (b"", ""),
    "no version beside a tombstone": (b"?", f"{PAST}/{PAST}"),
    "the future": (f"{FUTURE}/{FUTURE}", FUTURE),
    "fetched in the future": (f"{PAST}/{FUTURE}", FUTURE),
    "updated in the future": (f"{FUTURE}/{PAST}", ""),
}


@pytest.fixture
def world(request: pytest.FixtureRequest, provider: RunningSandbox, either: Connection, tmp_path: Path) -> Scene:
    scene = Scene(provider, either, tmp_path, profile=profile_of(**request.param))
    scene.reconcile()
    return scene


@pytest.mark.parametrize("world", [{}, {"lookup": None}], ids=["lookup", "second walk"], indirect=True)
@pytest.mark.parametrize("kind", GHOSTS)
def test_a_document_that_something_else_wrote_is_taken_out_if_the_provider_has_no_such_customer(
    world: Scene, kind: str
) -> None:
    scene, connection = world, world.connection
    written, known = GHOSTS[kind]
    content = written if isinstance(written, bytes) else b""
    if isinstance(written, str):
        fields = orjson.loads(cast("bytes", connection.get(KEYS.document("cus_00003"))))
        content = orjson.dumps({**fields, "id": "ghost", "version": written})
    elif known:
        connection.set(KEYS.tombstone("ghost"), known)
    connection.set(KEYS.document("ghost"), content)
    connection.zadd(KEYS.by_updated_at, {"ghost": 5})

    checked = scene.reconcile(check_only=True)
    assert found(checked) == {"agrees": CUSTOMERS, "extra": 1}
    assert not checked.agrees
    assert connection.get(KEYS.document("ghost")) == content

    report = scene.reconcile()
    assert found(report) == found(checked)
    assert report.outcomes == Outcomes(deleted=1)
    assert scene.agrees()
    updated_at, fetched_at = scene.tombstone("ghost").split("/")
    assert updated_at == {"the future": FUTURE, "updated in the future": FUTURE, "fetched in the future": PAST}.get(
        kind, PAST if known else "1900-01-01T00:00:00.000000Z"
    )
    assert (fetched_at == FUTURE) == (known == FUTURE)
    assert found(scene.reconcile(check_only=True)) == {"agrees": CUSTOMERS}


def test_a_customer_whose_document_had_no_version_comes_back_when_the_provider_shows_it(scene: Scene) -> None:
    scene.connection.set(KEYS.document("ghost"), b"?")
    scene.reconcile()
    scene.sandbox.control("POST", "/customers", params={"updated_at": PAST}, json={"id": "ghost"})
    assert found(scene.reconcile()) == {"agrees": CUSTOMERS, "missing": 1}
    assert scene.agrees()


def test_a_document_without_a_version_is_repaired_if_the_provider_has_the_customer(scene: Scene) -> None:
    scene.connection.set(KEYS.document("cus_00001"), b'{"id":"cus_00001"}')
    report = scene.reconcile()
    assert found(report) == {"agrees": CUSTOMERS - 1, "different": 1}
    assert scene.agrees()


def test_a_key_that_is_not_utf8_is_named(either_scene: Scene) -> None:
    either_scene.connection.set(b"customer:{\xff}", b"x")
    with pytest.raises(
        CacheRejected, match=r"the key b'customer:\{\\xff\}' .* not UTF-8.* stop it and remove"
    ) as raised:
        either_scene.reconcile()
    assert not raised.value.transient


def test_a_member_of_the_index_that_is_not_utf8_is_named(either_scene: Scene) -> None:
    either_scene.connection.zadd(KEYS.by_updated_at, {b"\xff": 1})
    with pytest.raises(CacheRejected, match=r"the member b'\\xff' of customers:by_updated_at .* not UTF-8"):
        either_scene.reconcile()
