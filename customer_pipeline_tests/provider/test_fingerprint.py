"""The fingerprint of a configuration."""

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from customer_pipeline.provider.fingerprint import fingerprint
from customer_pipeline.provider.profile import shipped_profiles

ENVIRONMENT = {"SANDBOX_URL": "http://127.0.0.1:9", "SANDBOX_TOKEN": "secret", "REDIS_URL": "redis://h/0", "OTHER": "x"}


def test_the_same_configuration_has_the_same_fingerprint_wherever_the_profile_lies(tmp_path: Path) -> None:
    profile = tmp_path / "copy.yaml"
    profile.write_bytes(shipped_profiles()["sandbox"].read_bytes())
    assert fingerprint("sandbox", ENVIRONMENT) == fingerprint(profile, ENVIRONMENT)
    assert re.fullmatch("[0-9a-f]{8}", fingerprint("sandbox", ENVIRONMENT))


@pytest.mark.parametrize(
    ("change", "is_another"),
    [
        ({"SANDBOX_TOKEN": "corrected"}, True),
        ({"SANDBOX_TOKEN": ""}, True),
        ({"SANDBOX_URL": "http://127.0.0.1:10"}, True),
        ({"REDIS_URL": "redis://corrected/0"}, True),
        ({"OTHER": "y"}, False),
    ],
)
def test_what_is_referred_to_counts_and_nothing_else(*, change: dict[str, str], is_another: bool) -> None:
    before = fingerprint("sandbox", ENVIRONMENT, variables=["REDIS_URL"])
    after = fingerprint("sandbox", ENVIRONMENT | change, variables=["REDIS_URL"])
    assert (before != after) == is_another


def test_an_edited_profile_has_another_fingerprint(tmp_path: Path) -> None:
    profile = tmp_path / "profile.yaml"
    profile.write_text("name: a\n")
    before = fingerprint(profile, {})
    profile.write_text("name: b\n")
    assert fingerprint(profile, {}) != before


def test_values_that_read_the_same_one_after_another_are_told_apart(tmp_path: Path) -> None:
    profile = tmp_path / "profile.yaml"
    profile.write_text("${A} ${B}")
    assert fingerprint(profile, {"A": "1B=2", "B": "3"}) != fingerprint(profile, {"A": "1", "B": "2B=3"})


@pytest.mark.parametrize("name", ["", "missing.yaml", ".", "a\0b"])
def test_a_profile_that_cannot_be_read_has_a_fingerprint_too(name: str) -> None:
    assert re.fullmatch("[0-9a-f]{8}", fingerprint(name, {}))


@settings(max_examples=10)
@given(st.binary(max_size=20), st.text(alphabet=st.characters(exclude_characters="\0"), max_size=20))
def test_whatever_the_profile_and_the_secret_hold_it_does_not_raise(content: bytes, secret: str) -> None:
    profile = CURRENT[0] / "profile.yaml"
    profile.write_bytes(b"${TOKEN}" + content)
    assert re.fullmatch("[0-9a-f]{8}", fingerprint(profile, {"TOKEN": secret}))


CURRENT: list[Path] = []


@pytest.fixture(autouse=True)
def _current(tmp_path: Path) -> None:
    CURRENT[:] = [tmp_path]
