import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.crc import key_slot

from customer_pipeline.cache.keys import CacheKeys


def test_keys_are_those_of_the_contract() -> None:
    keys = CacheKeys()
    assert keys.document("42") == "customer:{42}"
    assert keys.tombstone("42") == "customer:{42}:tombstone"
    assert keys.by_updated_at == "customers:by_updated_at"
    assert (keys.by_email, keys.by_phone) == keys.by_value == ("customers:by_email", "customers:by_phone")
    assert keys.changes == "customers:changes"
    assert keys.coverage == "customers:coverage"
    assert keys.freshness == "customers:freshness"


def test_the_prefix_is_configurable() -> None:
    assert CacheKeys("crm:client").document("a") == "crm:client:{a}"
    assert CacheKeys("crm:client").coverage == "crm:clients:coverage"


@pytest.mark.parametrize("prefix", ["", " ", "a b", "a{b", "a}", "a\n", "a\tb"])
def test_a_prefix_that_would_break_the_keys_is_refused(prefix: str) -> None:
    with pytest.raises(ValueError, match="without braces and white space"):
        CacheKeys(prefix)


IDS = st.text(min_size=1).filter(lambda text: text.isprintable())


@given(IDS, IDS)
def test_no_two_customers_share_a_key(one: str, other: str) -> None:
    keys = CacheKeys()
    of_one = {keys.document(one), keys.tombstone(one), keys.unannounced(one)}
    of_other = {keys.document(other), keys.tombstone(other), keys.unannounced(other)}
    assert len(of_one) == 3
    assert one == other or not of_one & of_other


@given(IDS.filter(lambda text: not text.startswith("}")))
def test_a_customers_keys_lie_in_one_slot(name: str) -> None:
    keys = CacheKeys()
    own = (keys.document(name), keys.tombstone(name), keys.unannounced(name))
    assert len({key_slot(key.encode()) for key in own}) == 1


@pytest.mark.parametrize("keys", [CacheKeys(), CacheKeys("crm:client")])
def test_an_index_and_its_register_lie_in_one_slot(keys: CacheKeys) -> None:
    for index in keys.by_value:
        assert key_slot(index.encode()) == key_slot(keys.register(index).encode())
        assert keys.register(index).startswith(f"{keys.prefix}s:")
