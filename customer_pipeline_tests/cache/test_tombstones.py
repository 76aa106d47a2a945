from datetime import timedelta

import pytest

from customer_pipeline.cache.tombstones import LONGEST_RETENTION, TOMBSTONE_LIFE, replay_horizon
from customer_pipeline.settings import DEFAULT_RETENTION


@pytest.mark.parametrize("days", [2, 30, 400])
def test_a_state_is_published_for_less_long_than_a_later_deletion_is_remembered(days: int) -> None:
    life = timedelta(days=days)
    assert timedelta(0) < replay_horizon(life) <= life - timedelta(days=1)


def test_whatever_is_kept_in_the_landing_store_can_be_replayed_before_a_tombstone_expires() -> None:
    assert DEFAULT_RETENTION < LONGEST_RETENTION <= replay_horizon(TOMBSTONE_LIFE) < TOMBSTONE_LIFE
