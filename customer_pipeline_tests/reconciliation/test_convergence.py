"""Whatever the provider has and the cache holds: after a reconciliation they are equal, and a check finds nothing."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from customer_pipeline.cache.connection import connect
from customer_pipeline.sandbox.world import Settings
from customer_pipeline_tests.cache.states import members
from customer_pipeline_tests.reconciliation.scenes import KEYS, Scene, profile_of
from customer_pipeline_tests.sandbox.running import RunningSandbox
from customer_pipeline_tests.servers import ValkeyServer

NAMES = ["a", "b/c", "d e", "ü", "{f}", "g"]

AT_PROVIDER = st.sampled_from(["live", "edited", "tombstone", "vanished", "vanished and back", "never there"])
IN_CACHE = st.sampled_from(
    [
        "first state",
        "last state",
        "nothing",
        "wrong content",
        "other address",
        "no index",
        "false entries",
        "tombstone lost",
    ]
)
WORLDS = st.fixed_dictionaries({name: st.tuples(AT_PROVIDER, IN_CACHE) for name in NAMES})


@pytest.fixture(scope="module")
def provider() -> Iterator[RunningSandbox]:
    with RunningSandbox(Settings(customers=0, changes_per_minute=0)) as running:
        yield running


def populate(scene: Scene, world: dict[str, tuple[str, str]]) -> None:
    """Bring about the first states, publish them, then the last, and spoil the cache."""
    for name in scene.states():
        scene.delete(name, hard=True)
    for name, (at_provider, _) in world.items():
        if at_provider != "never there":
            scene.create(name, status="first", contact={"email": f"{len(name)}@example.com", "phone": "+41446681800"})
    scene.publisher.publish(scene.states().values())
    for name, (at_provider, _) in world.items():
        change(scene, name, at_provider)
    last = scene.states()
    for name, (_, in_cache) in world.items():
        if in_cache == "last state" and name in last:
            scene.publisher.publish([last[name]])
        spoil(scene, name, in_cache)


def change(scene: Scene, name: str, to: str) -> None:
    if to == "edited":
        scene.edit(name, status="edited", contact={"email": "edited@example.com"})
    if to in {"tombstone", "vanished", "vanished and back"}:
        scene.delete(name, hard=to != "tombstone")
    if to == "vanished and back":
        scene.create(name, status="back")


def spoil(scene: Scene, name: str, how: str) -> None:
    cache = scene.connection
    if how == "nothing":
        cache.delete(KEYS.document(name))
    if how in {"nothing", "no index"}:
        cache.zrem(KEYS.by_updated_at, name)
        for index in KEYS.by_value:
            cache.zrem(index, "", *(entry for entry in members(cache, index) if entry.endswith(b"\n" + name.encode())))
    if how == "false entries":
        cache.zadd(KEYS.by_email, {f"false@example.com\n{name}": 0})
        cache.zadd(KEYS.by_phone, {f"+1\n{name}": 0})
    if how == "other address" and isinstance(text := cache.get(KEYS.document(name)), bytes):
        cache.set(KEYS.document(name), text.replace(b"@example.com", b"@example.org"))
    if how == "wrong content" and isinstance(text := cache.get(KEYS.document(name)), bytes):
        cache.set(KEYS.document(name), text.replace(b'"status":"', b'"status":"un'))
    if how == "tombstone lost":
        cache.delete(KEYS.tombstone(name))


@pytest.mark.parametrize("lookup", [True, False])
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(  # fewer in the index than are extra
    world=dict.fromkeys(NAMES[1:5], ("vanished", "no index"))
    | dict.fromkeys((NAMES[0], NAMES[5]), ("live", "first state"))
)
@given(world=WORLDS)
def test_after_a_reconciliation_the_cache_equals_the_provider(
    provider: RunningSandbox,
    valkey_server: ValkeyServer,
    tmp_path: Path,
    *,
    lookup: bool,
    world: dict[str, tuple[str, str]],
) -> None:
    with connect(valkey_server.url) as connection:
        connection.flushall()
        scene = Scene(provider, connection, tmp_path, profile=profile_of(**{} if lookup else {"lookup": None}))
        populate(scene, world)
        checked = scene.reconcile(check_only=True, max_deleted_share=1.0)
        report = scene.reconcile(max_deleted_share=1.0)
        assert report.differences == checked.differences
        assert scene.agrees()
        assert scene.reconcile(check_only=True).differences == 0
