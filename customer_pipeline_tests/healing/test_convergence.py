"""The heal in worlds in which everything goes wrong for a while: what can be published is, and the rest is named."""

from collections.abc import Callable
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from customer_pipeline.healing.gaps import common
from customer_pipeline.windows import WINDOW_LENGTH, Window
from customer_pipeline_tests.healing.world import START, Poison, World, windows

STEPS = st.integers(1, 30)
Event = Callable[[World], None]


def time_passes(steps: int) -> Event:
    return lambda world: world.steps(steps)


def the_provider_is_down(steps: int) -> Event:
    def happen(world: World) -> None:
        if not world.has_been_down:
            world.has_been_down = True
            world.up = False
            world.steps(steps)
            world.up = True

    return happen


def the_provider_rejects(steps: int) -> Event:
    def happen(world: World) -> None:
        if not world.has_rejected:
            world.has_rejected = True
            world.rejecting = True
            world.steps(steps)
            world.rejecting = False

    return happen


def the_schedule_is_off(steps: int) -> Event:
    def happen(world: World) -> None:
        world.live = False
        world.steps(steps)
        world.live = True

    return happen


def a_person_works_on(first: int, length: int, steps: int) -> Event:
    def happen(world: World) -> None:
        world.in_progress = [windows(first, length)]
        world.steps(steps)
        world.in_progress = []

    return happen


def the_clock_is_set(minutes: int) -> Event:
    def happen(world: World) -> None:
        # What was published before a step back looks like a proof after it, also while the provider rejects.
        world.has_rejected = True
        world.now = max(world.now + timedelta(minutes=minutes), START + WINDOW_LENGTH)
        world.tick()

    return happen


def its_open_runs_are_deleted(world: World) -> None:
    world.deleted += [run for run in world.runs if not run.ended]
    world.runs = [run for run in world.runs if run.ended]


def the_cursor_is_lost(world: World) -> None:
    world.damaged_cursor = "{"


def the_configuration_changes(world: World) -> None:
    world.configuration += "a"


def the_cache_is_emptied(world: World) -> None:
    world.coverage = []


EVENTS = st.one_of(
    STEPS.map(time_passes),
    STEPS.map(the_provider_is_down),
    STEPS.map(the_provider_rejects),
    STEPS.map(the_schedule_is_off),
    st.builds(a_person_works_on, st.integers(0, 150), st.integers(1, 150), STEPS),
    st.integers(-60, 60).map(the_clock_is_set),
    st.sampled_from([its_open_runs_are_deleted, the_cursor_is_lost, the_configuration_changes, the_cache_is_emptied]),
)
POISONS = st.dictionaries(
    st.integers(0, 150),
    st.builds(Poison, permanent=st.booleans(), named=st.booleans(), local=st.booleans()),
    max_size=3,
)


@settings(max_examples=60)
@given(
    ended=st.integers(1, 150),
    covered=st.lists(st.builds(windows, st.integers(0, 150), st.integers(1, 40)), max_size=4),
    poison=POISONS,
    events=st.lists(EVENTS, max_size=10),
)
def test_every_window_that_can_be_published_is_and_the_others_are_given_up(
    ended: int, covered: list[Window], poison: dict[int, Poison], events: list[Event]
) -> None:
    world = World(now=START + ended * WINDOW_LENGTH + timedelta(seconds=10), poison=poison)
    world.publish(*common(covered, [windows(0, ended)]))
    for event in events:
        event(world)

    # All that is bad lies in the past, also where the clock was set back.
    while world.now < world.latest:
        world.step()
    world.poison = {number: cause for number, cause in poison.items() if windows(number).end <= world.now}
    hours = 3
    for _ in range(hours * 120):
        world.step()
        if world.missing == world.given_up and world.given_up <= set(world.poison):
            break
    assert world.missing == world.given_up
    assert world.given_up <= set(world.poison)
    assert world.largest_cursor < 5_000

    # Peace: what is given up is asked for seldom, if ever.
    world.steps(60)
    before = len(world.runs)
    world.steps(120)
    assert len(world.runs) - before <= len(world.given_up)
