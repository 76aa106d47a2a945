"""A cache that the release before the indexes and the stream has written, by its own script."""

import pytest

from benchmarks.before import Before
from customer_pipeline.cache.connection import Connection
from customer_pipeline.cache.publisher import Outcomes, Publisher
from customer_pipeline_tests.cache.states import KEYS, Told, contents, customer, deletion, expected, told

MANY = 2500
OLD = [customer(f"c{number}", 1, email=f"{number % 900}@example.com", phone=f"+{number}") for number in range(MANY)]


@pytest.fixture
def earlier(connection: Connection) -> Before:
    publisher = Before(connection)
    assert publisher.publish([*OLD, deletion("gone", 1, 1)]) == Outcomes(applied=MANY, deleted=1)
    assert not connection.exists(*KEYS.by_value, KEYS.changes, KEYS.indexed)
    return publisher


def test_the_first_publication_indexes_everybody_and_tells_of_its_own_changes_alone(
    connection: Connection, earlier: Before
) -> None:
    del earlier
    new = [customer("c1", 2, email="new@example.com"), deletion("c2", 2, 1), customer("gone", 2, phone="+1")]
    assert Publisher(connection).publish([*new, OLD[3]]) == Outcomes(applied=2, deleted=1, unchanged=1)
    assert contents(connection) == expected([*OLD, *new])
    kinds = ["changed", "deleted", "changed"]
    assert told(connection) == [Told(state.id, state.version, kind) for state, kind in zip(new, kinds, strict=True)]


def test_a_window_without_customers_leaves_it_to_the_next(connection: Connection, earlier: Before) -> None:
    del earlier
    publisher = Publisher(connection)
    assert publisher.publish([]) == Outcomes()
    assert not connection.exists(KEYS.indexed)
    publisher.publish([OLD[0]])
    assert contents(connection) == expected([*OLD, deletion("gone", 1, 1)])
