from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest

from customer_pipeline.healing.memory import Attempt
from customer_pipeline.healing.plan import Memory, Situation, decide
from customer_pipeline.windows import WINDOW_LENGTH, Window, subtract
from customer_pipeline_tests.healing.world import START, Poison, World, numbers, windows


def world(ended: int, *covered: Window, seconds: float = 60) -> World:
    """Return a world in which so many windows have ended, and the newest is covered."""
    one = World(now=START + ended * WINDOW_LENGTH + timedelta(seconds=seconds))
    one.publish(windows(ended - 1), *covered)
    return one


def test_a_gap_is_requested_as_one_range_once_the_newest_window_is_published() -> None:
    one = world(60, windows(0, 17))

    (request,) = one.evaluate().requests

    assert request.windows == windows(17, 42)
    assert request.reason == "gap 2026-11-01T0250Z..0940Z, try 1"


def test_nothing_is_requested_before_the_newest_window_is_published() -> None:
    one = world(60, windows(0, 17))
    one.now += WINDOW_LENGTH

    decision = one.evaluate()

    assert decision.requests == []
    assert decision.says == (
        "waiting for window 2026-11-01T1000Z to be published: the proof that the provider is back; 43 windows wait"
    )


@pytest.mark.parametrize(("minutes_after", "proven"), [(-1, False), (0, True), (5, True)])
def test_a_load_of_the_whole_cache_after_the_newest_window_proves_that_the_provider_is_there(
    minutes_after: int,
    proven: bool,  # noqa: FBT001 -- a case
) -> None:
    one = world(60, windows(0, 17))
    one.now += WINDOW_LENGTH
    end = START + 61 * WINDOW_LENGTH

    loaded_at = end + timedelta(minutes=minutes_after)
    decision = decide(replace(one.situation(), loaded_at=loaded_at), Memory())

    assert bool(decision.requests) == proven
    if proven:
        assert decision.requests[0].windows == windows(60)


def test_half_of_the_newest_window_is_no_proof() -> None:
    one = World(now=START + 6 * WINDOW_LENGTH)
    one.coverage = [Window(START, one.now - timedelta(minutes=5))]

    assert one.evaluate().requests == []


def test_before_the_first_window_has_ended_there_is_nothing_to_heal() -> None:
    decision = World(now=START + timedelta(minutes=9)).evaluate()

    assert decision.requests == []
    assert decision.says == "the first window has not ended yet"


def test_nothing_is_missing() -> None:
    decision = world(60, windows(0, 60)).evaluate()

    assert decision.requests == []
    assert decision.says == "nothing is missing"
    assert decision.memory == Memory(configuration="a")


def test_gaps_are_requested_newest_first_three_at_a_time_and_the_others_wait_for_their_turn() -> None:
    one = world(20, windows(1), windows(3), windows(5), windows(7), windows(9, 10))

    decision = one.evaluate()
    assert [request.windows for request in decision.requests] == [windows(8), windows(6), windows(4)]
    assert decision.says == "3 windows queued or under way; 2 windows wait for their turn"

    assert one.evaluate().requests == []
    one.work()
    assert [request.windows for request in one.evaluate().requests] == [windows(2)]


def test_an_evaluation_plans_no_more_windows_than_one_run_may_have() -> None:
    one = world(500)

    assert [request.windows for request in one.evaluate().requests] == [windows(355, 144)]
    assert [request.windows for request in one.evaluate().requests] == [windows(211, 144)]
    assert [request.windows for request in one.evaluate().requests] == [windows(67, 144)]
    assert one.evaluate().requests == []


def test_runs_of_the_lane_that_nobody_remembers_count_as_outstanding_too() -> None:
    one = world(20, windows(1), windows(3), windows(5), windows(7), windows(9, 10))
    one.evaluate()
    one.memory = Memory()

    assert one.evaluate().requests == []


def test_what_a_person_works_on_is_not_requested_nor_what_was_requested_and_is_not_a_run_yet() -> None:
    one = world(60, windows(0, 50))
    one.in_progress = [windows(52, 3)]

    asked = one.evaluate().requests
    assert [request.windows for request in asked] == [windows(55, 4), windows(50, 2)]

    one.deleted, one.runs = one.runs, []
    one.now += timedelta(minutes=4)
    assert one.evaluate().requests == []


def test_what_is_to_be_tried_again_waits_for_the_person_who_works_on_it() -> None:
    one = world(60, windows(0, 50))
    one.memory = Memory(configuration="a", attempts=(Attempt(windows=windows(50, 9), part=True),))
    one.in_progress = [windows(52)]
    assert one.evaluate().requests == []

    one.in_progress = []
    assert [request.windows for request in one.evaluate().requests] == [windows(50, 9)]


def test_a_request_of_which_no_run_is_ever_seen_is_made_again_and_counts_as_no_failure() -> None:
    one = world(60, windows(0, 50), seconds=0)
    one.evaluate()
    one.deleted, one.runs = one.runs, []
    one.now += timedelta(minutes=5)

    (request,) = one.evaluate().requests
    assert request.windows == windows(50, 9)
    assert request.reason.endswith("try 1")


def test_a_clock_that_was_set_back_blocks_nothing() -> None:
    one = world(60, windows(0, 50))
    one.evaluate()
    one.deleted, one.runs = one.runs, []
    one.now -= timedelta(minutes=30)
    one.publish(windows(56))
    # the request lies in the future now, and nothing else speaks for it
    assert [request.windows for request in one.evaluate().requests] == [windows(50, 6)]

    failing = world(60, windows(0, 50))
    failing.memory = Memory(
        configuration="a", attempts=(Attempt(windows=windows(50, 9), tries=2, failed=failing.now + timedelta(days=1)),)
    )
    assert [request.windows for request in failing.evaluate().requests] == [windows(50, 9)]

    doubting = world(60, windows(0, 58))
    doubting.memory = Memory(
        configuration="a", attempts=(Attempt(windows=windows(58), doubted=doubting.now + timedelta(days=1)),)
    )
    assert [request.windows for request in doubting.evaluate().requests] == [windows(58)]


def tries(one: World, gap: Window, *, minutes: int) -> list[tuple[int, Window]]:
    """Let the world go on, and return at which half minutes parts of a gap were requested."""
    asked = []
    for half_minute in range(minutes * 2):
        decision = one.step()
        asked += [(half_minute, request.windows) for request in decision.requests if request.windows.start >= gap.start]
    return asked


def test_a_range_that_fails_is_tried_three_times_with_growing_delay_and_then_cut_at_the_window_that_fails() -> None:
    one = world(100, windows(0, 90), seconds=0)
    one.poison[93] = Poison(permanent=False, named=True)
    gap = windows(90, 9)
    one.evaluate()

    asked = tries(one, gap, minutes=6)

    # it fails at the half minutes 0, 3 and 8: a minute and two minutes after the request before has failed
    assert asked[:2] == [(2, gap), (7, gap)]
    assert asked[2:5] == [(8, windows(94, 5)), (8, windows(93)), (8, windows(90, 3))]


def test_a_range_that_fails_without_a_name_is_halved_down_to_the_window_without_further_delay() -> None:
    one = world(100, windows(0, 90), seconds=0)
    one.poison[93] = Poison(permanent=False, named=False)
    one.evaluate()

    tries(one, windows(90), minutes=9)

    assert one.requested[3:10] == [
        windows(94, 5),
        windows(90, 4),
        windows(92, 2),
        windows(90, 2),
        windows(93),
        windows(92),
        windows(93),
    ]
    assert one.missing == {93}


def test_a_single_window_is_given_up_after_five_tries_with_growing_delay_and_tried_seldom_from_then_on() -> None:
    one = world(100, windows(0, 98), seconds=0)
    one.poison[98] = Poison(permanent=False, named=True)
    one.evaluate()

    asked = tries(one, windows(98), minutes=18)
    assert len(asked) == 4
    assert one.given_up == {98} == one.missing
    asked += tries(one, windows(98), minutes=24 * 60)

    assert {window for _, window in asked} == {windows(98)}
    moments = [moment for moment, _ in asked[:4]]
    assert [later - earlier for earlier, later in pairwise(moments)] == [5, 9, 17]
    assert len(asked) < 15
    assert one.given_up == {98} == one.missing
    assert one.decisions[-1].says == (
        "given up: 2026-11-01T1620Z; needs a person: read the runs' failures, correct the cause, and materialize "
        "these windows"
    )


def test_a_range_that_fails_for_good_is_cut_at_once_and_the_rest_heals() -> None:
    one = world(100, windows(0, 90), seconds=0)
    one.poison[93] = Poison(permanent=True, named=True)
    one.evaluate()

    one.step()
    assert one.requested[1:] == [windows(94, 5), windows(93), windows(90, 3)]
    one.steps(3)

    assert one.missing == one.given_up == {93}
    assert one.requested.count(windows(90, 9)) == 1


def test_a_refusal_that_may_concern_every_window_counts_once_a_newer_window_was_published_since() -> None:
    one = world(100, windows(0, 90), seconds=0)
    one.poison[93] = Poison(permanent=True, named=True, local=False)
    one.evaluate()
    one.steps(18)
    assert one.requested == [windows(90, 9)]
    assert one.decisions[-1].says == "9 windows refused, asked once more after the next window is published"

    one.steps(10)
    assert one.requested[1:] == [windows(90, 9), windows(94, 5), windows(93), windows(90, 3)]
    assert one.runs[1].request.reason == (
        "gap 2026-11-01T1500Z..1620Z, once more: a newer window was published since it was refused"
    )
    assert one.missing == {93}
    assert one.given_up == set()

    one.steps(20)
    assert one.requested[5:] == [windows(93)]
    assert one.missing == one.given_up == {93}


def test_what_is_cut_out_of_a_refused_range_is_not_given_up_by_a_refusal_of_everything_that_follows() -> None:
    one = world(120, windows(96, 24), seconds=10)
    one.poison[24] = Poison(permanent=True, named=False, local=False)
    one.steps(27)
    one.rejecting = True
    one.steps(23)
    one.rejecting = False
    assert one.given_up == set()

    one.steps(200)
    assert one.missing == one.given_up == {24}


def test_a_window_that_fails_for_good_is_given_up_at_once() -> None:
    one = world(100, windows(0, 98), seconds=0)
    one.poison[98] = Poison(permanent=True, named=True)
    one.evaluate()
    one.step()

    assert one.given_up == {98}
    one.steps(200)
    assert one.requested == [windows(98)]


@pytest.mark.parametrize("missing", [1, 42, 144, 432])
def test_a_provider_that_refuses_for_a_while_is_asked_little_and_makes_nobody_give_up(missing: int) -> None:
    one = world(600, windows(0, 599 - missing), seconds=0)
    one.evaluate()
    one.rejecting = True
    one.steps(18)  # just before the next tick
    assert len(one.runs) <= 3
    assert one.given_up == set()
    one.rejecting = False
    one.steps(60)

    assert one.missing == one.given_up == set()


def test_what_fails_while_the_provider_is_not_proven_to_be_there_is_held_against_nothing() -> None:
    one = world(100, windows(0, 90), seconds=0)
    one.evaluate()
    one.up = False
    one.now += WINDOW_LENGTH
    one.work()
    decision = one.evaluate()
    assert decision.memory.attempts == ()
    assert decision.requests == []

    one.up = True
    one.tick()
    (request,) = one.evaluate().requests
    assert request.windows == windows(90, 9)
    assert request.reason.endswith("try 1")


def test_what_was_given_up_is_forgotten_when_it_is_published_by_other_means() -> None:
    one = world(100, windows(0, 90))
    one.memory = Memory(configuration="a", settled=(windows(90, 9),))
    assert one.evaluate().requests == []
    assert one.given_up == numbers([windows(90, 9)])

    one.publish(windows(92))
    one.evaluate()
    assert one.given_up == numbers([windows(90, 2), windows(93, 6)])

    # lost again, it is a gap like any other
    one.coverage = subtract(windows(0, 100), [windows(90, 9)])
    assert [request.windows for request in one.evaluate().requests] == [windows(92)]


def test_a_changed_configuration_makes_everything_be_tried_anew() -> None:
    one = world(100, windows(0, 90))
    one.memory = Memory(
        configuration="a",
        settled=(windows(90, 4),),
        attempts=(Attempt(windows=windows(96), tries=4, part=True, failed=one.now),),
    )
    assert [request.windows for request in one.evaluate().requests] == [windows(97, 2), windows(94, 2)]
    one.work(most=2)

    one.configuration = "b"
    assert [request.windows for request in one.evaluate().requests] == [windows(96), windows(90, 4)]


def test_what_is_given_up_does_not_hold_up_a_later_gap() -> None:
    one = world(100, windows(0, 60), windows(70, 29))
    one.memory = Memory(configuration="a", settled=(windows(60, 5),))

    assert [request.windows for request in one.evaluate().requests] == [windows(65, 5)]


def test_what_is_published_of_a_failed_range_is_not_requested_again() -> None:
    one = world(100, windows(0, 90), seconds=0)
    one.evaluate()
    one.publish(windows(90, 3), windows(95))
    one.up = False
    one.work()
    one.up = True
    one.evaluate()
    one.now += timedelta(minutes=1)

    assert [request.windows for request in one.evaluate().requests] == [windows(96, 3), windows(93, 2)]


def test_a_published_window_that_shows_as_failed_is_a_gap_and_still_proves_that_the_provider_is_there() -> None:
    situation = Situation(
        now=START + 10 * WINDOW_LENGTH, start=START, coverage=[windows(0, 10)], red=[windows(3, 2), windows(9)]
    )

    decision = decide(situation, Memory())
    assert [request.windows for request in decision.requests] == [windows(9), windows(3, 2)]
    assert decide(replace(situation, red=[]), decision.memory).memory == Memory()


@pytest.mark.parametrize("length", [2, 3, 7, 144])
@pytest.mark.parametrize("position", [0.0, 0.4, 1.0])
@pytest.mark.parametrize("permanent", [True, False])
@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize("local", [True, False])
def test_one_poison_window_costs_few_runs(
    length: int, position: float, *, permanent: bool, named: bool, local: bool
) -> None:
    one = world(300, windows(0, 299 - length), seconds=0)
    poison = 299 - length + round(position * (length - 1))
    one.poison[poison] = Poison(permanent=permanent, named=named, local=local)
    one.evaluate()
    for _ in range(200):
        if one.missing == one.given_up:
            break
        one.step()

    assert one.missing == one.given_up == {poison}
    cuts = 1 if named else (length - 1).bit_length()
    parts = 3 if named else 2 * cuts
    last_tries = 0 if permanent else 4
    asked_once_more = 1 + cuts if permanent and not local else 0
    assert len(one.runs) <= (1 if permanent else 3) + parts + asked_once_more + last_tries


def test_the_memory_of_half_a_year_in_which_everything_fails_stays_small() -> None:
    one = world(26_000)
    one.poison = {number: Poison(permanent=False, named=True) for number in range(25_999)}
    one.evaluate()
    for _ in range(200):
        one.step(most=3)

    assert len(one.given_up) > 20
    assert one.largest_cursor < 20_000


def test_what_a_person_canceled_is_asked_for_later_each_time_and_never_given_up() -> None:
    one = world(100, windows(0, 98), seconds=0)
    one.canceling = True
    one.evaluate()

    asked = tries(one, windows(98), minutes=180)

    moments = [moment for moment, _ in asked]
    assert [later - earlier for earlier, later in pairwise([-1, *moments])][:5] == [3, 5, 9, 17, 33]
    assert len(asked) < 10
    assert one.given_up == set()
    one.canceling = False
    one.steps(150)
    assert one.missing == set()


def test_a_range_that_takes_too_long_is_cut_at_once() -> None:
    one = world(200, windows(0, 55), seconds=0)
    one.longest_run = 40 * WINDOW_LENGTH
    one.evaluate()
    one.steps(20)

    assert one.missing == set()
    assert [(each.end - each.start) // WINDOW_LENGTH for each in one.requested] == [144, 72, 72, 36, 36, 36, 36]


def test_a_provider_that_answers_ticks_and_no_heal_for_hours_is_healed_in_the_end() -> None:
    one = world(300, windows(0, 257), seconds=0)
    one.poison = {number: Poison(permanent=False, named=True) for number in range(257, 299)}
    one.evaluate()
    one.steps(3 * 120)
    assert one.given_up

    one.poison = {}
    one.steps(7 * 120)
    assert one.missing == one.given_up == set()


def test_the_newest_of_thousands_of_gaps_are_requested_first() -> None:
    one = world(26_000)
    one.coverage = [windows(number) for number in range(1, 26_000, 2)]
    one.evaluate()

    assert one.requested == [windows(25_998), windows(25_996), windows(25_994)]
