"""The report: what it comes to, in numbers and in one sentence."""

import pytest

from customer_pipeline.cache.publisher import Outcomes
from customer_pipeline.reconciliation.kinds import Kind
from customer_pipeline.reconciliation.report import MOST_SAMPLES, Reconciliation, Tally
from customer_pipeline_tests.reconciliation.test_pictures import START


def report(*, check_only: bool = False, **counts: int) -> Reconciliation:
    return Reconciliation(
        as_of=START,
        check_only=check_only,
        at_provider=10,
        in_cache=9,
        quarantined=0,
        counts={kind: counts.get(kind.value, 0) for kind in Kind},
        samples={},
        outcomes=Outcomes(),
        seconds=1.0,
    )


@pytest.mark.parametrize(
    ("found", "differences", "agrees", "said"),
    [
        (report(agrees=9), 0, True, "the cache agrees with the provider on 9 customers"),
        (report(check_only=True, agrees=5, ahead=2, awaited=1, missed_by_walk=1), 0, True, "agrees with the provider"),
        (report(missing=2, extra=1), 3, True, "3 customers differed (2 missing, 1 extra); published"),
        (report(agrees=9, not_looked_up=2), 0, True, "9 customers; 2 that the walk did not find cannot be looked up"),
        (report(check_only=True, stale=1), 1, False, "1 customers differed (1 stale); nothing was published"),
        (report(older_at_provider=2), 2, False, "differed (2 older_at_provider); nothing was published, 2 remain; the"),
        (report(missing=1, older_at_provider=2), 3, False, "the others were published, 2 remain; the cache has newer"),
        (report(check_only=True, older_at_provider=2), 2, False, "nothing was published; the cache has newer states"),
    ],
)
def test_it_says_whether_the_cache_agrees_now(
    found: Reconciliation, differences: int, *, agrees: bool, said: str
) -> None:
    assert (found.differences, found.agrees) == (differences, agrees)
    assert said in found.said


def test_a_sample_is_bounded_and_holds_nobody_who_agrees() -> None:
    tally = Tally()
    for number in range(50):
        tally.add(Kind.MISSING, str(number))
        tally.add(Kind.AGREES, str(number))
    assert tally.counts == {Kind.MISSING: 50, Kind.AGREES: 50}
    assert len(tally.samples[Kind.MISSING]) == MOST_SAMPLES
    assert Kind.AGREES not in tally.samples


@pytest.mark.parametrize("kind", [Kind.AGREES, Kind.AHEAD])
def test_who_seemed_older_and_was_edited_meanwhile_counts_as_the_provider_shows_it_last(kind: Kind) -> None:
    tally = Tally()
    tally.add(Kind.OLDER_AT_PROVIDER, "edited")
    tally.add(Kind.OLDER_AT_PROVIDER, "older")
    tally.add(kind, "edited")
    tally.add(Kind.OLDER_AT_PROVIDER, "older")
    tally.add(Kind.MISSED_BY_WALK, "older")
    assert tally.counts == {Kind.OLDER_AT_PROVIDER: 1, kind: 1, Kind.MISSED_BY_WALK: 1}
    assert tally.samples[Kind.OLDER_AT_PROVIDER] == ("older",)
