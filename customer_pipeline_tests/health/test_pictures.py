"""The pictures: what a browser gets to see of a day."""

import random
import re
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from urllib.parse import unquote
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from customer_pipeline.health import pictures
from customer_pipeline.health.day import Day, State
from customer_pipeline.windows import Window
from customer_pipeline_tests.health.days import WINDOWS, day_of, publication

SVG = "{http://www.w3.org/2000/svg}"
COLOURS = {colour: state for state, (colour, _) in pictures.LOOKS.items()}


def lags(day: Day) -> str:
    return pictures.lags(day, now=timedelta(seconds=8))


ALL: list[Callable[[Day], str]] = [pictures.states, lags, pictures.throughput]


def image(markdown: str) -> ET.Element:
    """Parse the SVG as CommonMark, then a browser, would find it."""
    found = re.match(r"!\[[a-z ]+\]\(<data:image/svg\+xml,((?:[^<>\\\n#]|\\[<>])*)>\)(?:\\\n|$)", markdown)
    assert found
    return ET.fromstring(unquote(found[1].replace(r"\<", "<").replace(r"\>", ">")))


def cells(markdown: str) -> Counter[State]:
    """How many windows the picture draws of each state."""
    return Counter(
        {
            COLOURS[path.attrib["stroke"]]: sum(map(int, re.findall(r"h(\d+)", path.attrib["d"])))
            for path in image(markdown).iter(f"{SVG}path")
            if path.attrib["stroke"] in COLOURS
        }
    )


def texts(markdown: str) -> str:
    return " ".join("".join(text.itertext()) for text in image(markdown).iter(f"{SVG}text"))


MIXED = day_of(start=WINDOWS[12].start, missing=WINDOWS[70:82], in_progress=WINDOWS[142:], given_up=[WINDOWS[33]])


def test_every_window_after_the_start_is_drawn_once_in_the_colour_of_its_state() -> None:
    drawn = cells(pictures.states(MIXED))
    assert drawn == {State.PUBLISHED: 117, State.MISSING: 12, State.IN_PROGRESS: 2, State.GIVEN_UP: 1}
    assert drawn == {state: MIXED.count(state) for state in pictures.LOOKS}


def test_the_cells_stand_where_the_windows_are() -> None:
    (path,) = [path for path in image(pictures.states(MIXED)).iter(f"{SVG}path") if path.attrib["stroke"] == "#07b"]
    moves = re.findall(r"([Mm])(\d+),[\d.]+h(\d+)", path.attrib["d"])
    drawn, position = [], 0
    for _, gap, length in moves:
        position += int(gap)
        drawn += list(range(position, position + int(length)))
        position += int(length)
    assert drawn == [number for number, state in enumerate(MIXED.states) if state is State.PUBLISHED]


def test_the_legend_counts_what_occurs_and_nothing_else() -> None:
    assert "■ published 117 ■ in progress 2 ■ missing 12 ■ given up 1" in texts(pictures.states(MIXED))
    assert "missing" not in texts(pictures.states(day_of()))


@pytest.mark.parametrize("draw", ALL)
def test_the_time_axis_is_labelled_in_utc(draw: Callable[[Day], str]) -> None:
    assert texts(draw(MIXED)).startswith("18:00Z 00:00Z 06:00Z")


def test_the_states_differ_in_height_for_whoever_sees_no_colours() -> None:
    assert len({height for _, height in pictures.LOOKS.values()}) == len(pictures.LOOKS)


def test_the_lag_is_drawn_to_the_scale_of_its_largest_and_told_in_words() -> None:
    outage = WINDOWS[50:62]
    day = day_of(missing=outage)
    picture = lags(day)
    (area,) = [path for path in image(picture).iter(f"{SVG}path") if "transform" in path.attrib]
    heights, height = [], 0
    for change, width in re.findall(r"v(-?\d+)h(\d+)", area.attrib["d"]):
        height -= int(change)
        heights += [height] * int(width)
    assert len(heights) == 143
    assert max(heights) == heights[61] == 28
    assert heights[0] == round(10 / 130 * 28)
    assert heights[-1] == 0
    assert picture.endswith("8 s now, 2 h 10 min at most")


def test_an_outage_that_has_just_healed_is_still_told() -> None:
    assert lags(day_of(missing=WINDOWS[-6:])).endswith("8 s now, 1 h at most")


def test_a_lag_that_is_larger_than_any_before_is_drawn_too() -> None:
    picture = pictures.lags(day_of(), now=timedelta(hours=30))
    assert picture.endswith("1 d 6 h now, 1 d 6 h at most")
    (area,) = [path for path in image(picture).iter(f"{SVG}path") if "transform" in path.attrib]
    assert area.attrib["d"].endswith("v-28h1V28z")


def test_the_throughput_tells_how_many_customers_were_changed() -> None:
    day = day_of(publications=[publication(window, changed=1000) for window in WINDOWS[:10]])
    assert pictures.throughput(day).endswith("10,000 customers, 1,000 in a window at most")


@pytest.mark.parametrize("draw", ALL)
def test_a_day_without_anything_is_drawn(draw: Callable[[Day], str]) -> None:
    nothing = day_of(missing=WINDOWS, publications=[])
    assert image(draw(nothing)) is not None
    assert "nothing was published" in pictures.lags(nothing, now=None)


@settings(max_examples=60)
@given(
    absent=st.dictionaries(st.sampled_from(WINDOWS), st.sampled_from(["missing", "in progress", "given up"])),
    seed=st.integers(),
    most=st.sampled_from([0, 1, 1000, 10_000_000]),
)
def test_whatever_has_happened_the_pictures_are_well_formed_and_short_enough_to_be_shown_at_once(
    absent: dict[Window, str], seed: int, most: int
) -> None:
    numbers = random.Random(seed)
    missing, in_progress, given_up = (
        [window for window, state in absent.items() if state == name] for name in ("missing", "in progress", "given up")
    )
    publications = [publication(window, changed=numbers.randint(0, most)) for window in WINDOWS if window not in absent]
    day = day_of(missing=missing, in_progress=in_progress, given_up=given_up, publications=publications)
    for draw in ALL:
        picture = draw(day)
        assert image(picture).tag == f"{SVG}svg"
        # The UI counts UTF-16 units; nothing here lies beyond the first plane.
        assert len(picture) < pictures.LONGEST_INLINE


def test_a_day_with_too_much_to_tell_shows_the_worst_of_each_stretch_and_counts_right() -> None:
    day = day_of(missing=WINDOWS[::2])
    picture = pictures.states(day)
    assert cells(picture) == {State.MISSING: 144}
    assert "published 72 ■ missing 72" in texts(picture)


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0, "0 s"),
        (8.4, "8 s"),
        (60, "1 min"),
        (3599.6, "1 h"),
        (9000, "2 h 30 min"),
        (7205, "2 h"),
        (187_200, "2 d 4 h"),
    ],
)
def test_durations_are_said_in_their_two_largest_units(seconds: float, expected: str) -> None:
    assert pictures.spoken(timedelta(seconds=seconds)) == expected
