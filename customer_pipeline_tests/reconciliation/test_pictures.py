"""The trend: what a browser gets to see of the last reconciliations."""

import re
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from customer_pipeline.health.pictures import LONGEST_INLINE
from customer_pipeline.reconciliation.pictures import Point, trend
from customer_pipeline_tests.health.test_pictures import SVG, image

START = datetime(2026, 11, 1, 4, 10, tzinfo=UTC)


def points(*differences: int, agrees: bool = True) -> list[Point]:
    return [
        Point(at=START + timedelta(days=number), differences=count, agrees=agrees)
        for number, count in enumerate(differences)
    ]


def heights(markdown: str, colour: str) -> list[int]:
    paths = [path.attrib["d"] for path in image(markdown).iter(f"{SVG}path") if path.attrib["stroke"] == colour]
    return [int(height) for path in paths for height in re.findall(r"v-(\d+)", path)]


def test_each_reconciliation_has_a_bar_and_what_was_not_mended_another_colour() -> None:
    drawn = trend([*points(0, 7, 14), Point(at=START + timedelta(days=9), differences=28, agrees=False)])
    assert heights(drawn, "#07b") == [1, 7, 14]
    assert heights(drawn, "#d50") == [28]
    assert drawn.endswith("28 customers differed now, 28 at most, since 2026-11-01; orange: not mended")


def test_without_any_it_says_so() -> None:
    assert trend([]).endswith("no reconciliation yet")


@given(differences=st.lists(st.integers(0, 10**7), max_size=60), agrees=st.booleans())
def test_it_is_always_short_enough_to_be_shown_at_once_and_the_newest_is_in_it(
    differences: list[int], *, agrees: bool
) -> None:
    drawn = trend(points(*differences, agrees=agrees))
    assert len(drawn) < LONGEST_INLINE
    assert len(heights(drawn, "#07b") + heights(drawn, "#d50")) <= len(differences)
    if differences:
        assert f"{differences[-1]:,} customers differed now" in drawn
