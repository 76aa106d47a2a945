"""The stream of changes: exactly one entry for each on one server, at least one in a cluster, and nothing personal."""

from collections.abc import Sequence
from typing import cast

import pytest
import redis

from customer_pipeline.cache import changes
from customer_pipeline.cache import publisher as publishing
from customer_pipeline.cache.changes import announce
from customer_pipeline.cache.codec import State
from customer_pipeline.cache.connection import Connection, connect
from customer_pipeline.cache.exchange import Command, exchange
from customer_pipeline.cache.publisher import Outcomes, Publisher
from customer_pipeline_tests.cache.proxy import CuttingProxy
from customer_pipeline_tests.cache.states import KEYS, Told, contents, deletion, expected, live, told, version
from customer_pipeline_tests.cache.test_guard import CASES, Outcome
from customer_pipeline_tests.servers import ValkeyServer

KINDS = {"applied": "changed", "deleted": "deleted"}


@pytest.mark.parametrize(("stored", "incoming", "outcome", "then"), CASES.values(), ids=CASES)
def test_what_is_applied_or_deleted_is_told_once_and_nothing_else(
    either: Connection, stored: State | None, incoming: State, outcome: Outcome, then: State
) -> None:
    publisher = Publisher(either)
    if stored is not None:
        publisher.publish([stored])
        either.delete(KEYS.changes)
    publisher.publish([incoming])
    ought = [Told("a", then.version, KINDS[outcome])] if outcome in KINDS else []
    assert told(either) == ought


def test_changes_are_told_in_their_order(connection: Connection) -> None:
    states = [live("a", 1, 1), live("b", 1, 1), live("a", 2, 1), deletion("b", 3, 1), live("a", 3, 1)]
    Publisher(connection).publish(states)
    kinds = ["changed", "changed", "changed", "deleted", "changed"]
    assert told(connection) == [Told(state.id, state.version, kind) for state, kind in zip(states, kinds, strict=True)]


def test_an_entry_holds_nothing_but_id_version_and_kind(either: Connection) -> None:
    Publisher(either).publish([live("a", 1, 1, "Ada Lovelace")])
    assert told(either) == [Told("a", version(1, 1), "changed")]


@pytest.mark.parametrize("kept", [1, 150, 1000])
def test_the_stream_keeps_about_as_many_as_it_is_told_to(either: Connection, kept: int) -> None:
    states = [live(f"c{number}", 1, 1) for number in range(3000)]
    Publisher(either, changes_kept=kept).publish(states)
    a_node = 100
    assert kept <= either.xlen(KEYS.changes) <= kept + a_node
    if not isinstance(either, redis.RedisCluster):
        assert told(either)[-1].id == "c2999"


def test_a_stream_is_kept_of_at_least_one_change(connection: Connection) -> None:
    with pytest.raises(ValueError, match="changes_kept is at least 1, not 0"):
        Publisher(connection, changes_kept=0)


def test_a_reply_that_was_lost_makes_no_second_entry(valkey: ValkeyServer) -> None:
    states = [live(f"c{number}", number, 1) for number in range(50)]
    with CuttingProxy(valkey.port) as proxy, connect(proxy.url) as client:
        proxy.lose("reply")
        assert Publisher(client).publish(states) == Outcomes(unchanged=50)
        assert [one.id for one in told(client)] == [state.id for state in states]


def test_a_reader_hears_of_a_change_when_the_document_says_it(connection: Connection) -> None:
    publisher = Publisher(connection)
    publisher.publish([live("a", 1, 1)])
    last = connection.xinfo_stream(KEYS.changes)["last-generated-id"]
    publisher.publish([live("a", 2, 1)])
    ((_, entries),) = cast(
        "list[tuple[bytes, list[tuple[bytes, dict[bytes, bytes]]]]]", connection.xread({KEYS.changes: last})
    )
    ((_, fields),) = entries
    assert fields[b"version"] == version(2, 1).encode()
    assert fields[b"version"] in cast("bytes", connection.get(KEYS.document("a")))


class Killed(Exception):  # noqa: N818
    pass


@pytest.mark.parametrize("step", ["bring_in_step", "announce"])
def test_what_a_process_was_killed_before_telling_a_replay_tells(
    cluster: redis.RedisCluster, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    states = [live("a", 1, 1), live("b", 1, 1), deletion("c", 1, 1)]

    def killed(*_: object, **__: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(publishing, step, killed)
        with pytest.raises(Killed):
            Publisher(cluster).publish(states)
    assert told(cluster) == []
    assert Publisher(cluster).publish(states) == Outcomes(unchanged=3)
    assert sorted(told(cluster)) == [
        Told("a", version(1, 1), "changed"),
        Told("b", version(1, 1), "changed"),
        Told("c", version(1, 1), "deleted"),
    ]
    assert contents(cluster) == expected(states)


def test_what_was_noted_of_several_changes_is_told_of_each(
    cluster: redis.RedisCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(publishing, "announce", lambda *_, **__: None)
        Publisher(cluster).publish([live("a", 1, 1), deletion("a", 2, 1), live("a", 3, 1)])
    Publisher(cluster).publish([live("a", 3, 1)])
    assert [one.kind for one in told(cluster)] == ["changed", "deleted", "changed"]


def test_a_note_that_comes_while_two_tell_of_another_is_kept(
    cluster: redis.RedisCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the same version: a corrected normalization, by a process that dies before it tells."""
    publisher = Publisher(cluster)

    def interfered(connection: Connection, commands: Sequence[Command]) -> list[object]:
        if commands and commands[0][0] == "XADD":
            monkeypatch.setattr(changes, "exchange", exchange)
            announce(connection, ["a"], keys=KEYS, kept=9)
            with monkeypatch.context() as patch:
                patch.setattr(publishing, "announce", lambda *_, **__: None)
                Publisher(cluster).publish([live("a", 1, 1, "other")])
        return exchange(connection, commands)

    monkeypatch.setattr(changes, "exchange", interfered)
    publisher.publish([live("a", 1, 1)])
    assert len(told(cluster)) == 2
    publisher.publish([live("a", 1, 1, "other")])
    assert told(cluster) == 3 * [Told("a", version(1, 1), "changed")]


def test_a_note_of_another_type_is_an_error_before_anything_is_written(cluster: redis.RedisCluster) -> None:
    cluster.set(KEYS.unannounced("a"), "x")
    with pytest.raises(Exception, match="holds a value of another type"):
        Publisher(cluster).publish([live("a", 1, 1)])
    assert not cluster.exists(KEYS.document("a"))
