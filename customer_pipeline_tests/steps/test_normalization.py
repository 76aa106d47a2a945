"""Normalization on a real landing store; what the provider said is landed by hand."""

from datetime import timedelta
from typing import Any

import pytest

from customer_pipeline import timestamps
from customer_pipeline.customers import schemas
from customer_pipeline.customers.newest import newest
from customer_pipeline.landing.errors import LandingError
from customer_pipeline.landing.store import LandingStore
from customer_pipeline.steps import datasets, normalization
from customer_pipeline_tests.steps.records import FETCHED, PROFILE, WINDOW, at, land


def rows_of(landing: LandingStore, dataset: str) -> list[dict[str, object]]:
    return [row for batch in landing.read(dataset, WINDOW) for row in batch.to_pylist()]


def test_the_newest_state_of_a_customer_is_kept_and_every_record_is_accounted_for(landing: LandingStore) -> None:
    land(
        landing,
        [
            {"id": "a", "at": at(1), "status": "old"},
            {"id": "b", "at": at(2), "status": "only"},
            {"id": "a", "at": at(3), "status": "new"},
            {"id": "a", "at": at(2), "status": "middle"},
            {"id": None, "at": at(4)},
            "[1, 2]",
        ],
    )
    report = normalization.normalize(WINDOW, profile=PROFILE, landing=landing)
    assert {row["id"]: row["status"] for row in rows_of(landing, datasets.CUSTOMERS)} == {"a": "new", "b": "only"}
    assert (report.fetched, report.normalized, report.duplicates, report.unique_ids) == (6, 2, 2, 2)
    assert dict(report.quarantined) == {"id_missing": 1, "not_an_object": 1}
    assert report.conserved


def test_an_implausible_state_does_not_displace_a_usable_one_of_the_same_customer(landing: LandingStore) -> None:
    land(landing, [{"id": "a", "at": at(1)}, {"id": "a", "at": "2999-01-01T00:00:00Z"}])
    report = normalization.normalize(WINDOW, profile=PROFILE, landing=landing)
    assert report.normalized == 1
    assert dict(report.quarantined) == {"updated_at_in_future": 1}


def test_a_provider_whose_clock_is_ahead_is_believed_by_as_much_as_was_measured(landing: LandingStore) -> None:
    ahead = timestamps.format_instant(FETCHED + PROFILE.future_margin + timedelta(seconds=50))
    land(landing, [{"id": "a", "at": ahead}])
    assert normalization.normalize(WINDOW, profile=PROFILE, landing=landing).normalized == 0
    raw = list(landing.read(datasets.RAW_CUSTOMERS, WINDOW))
    with landing.open_writer(datasets.RAW_CUSTOMERS, WINDOW, schemas.RAW) as writer:
        for batch in raw:
            writer.write(batch)
        writer.facts["clock_difference_seconds"] = 60.0
    assert normalization.normalize(WINDOW, profile=PROFILE, landing=landing).normalized == 1


def test_a_provider_whose_clock_seems_behind_has_its_records_believed(landing: LandingStore) -> None:
    land(landing, [{"id": "a", "at": at(9)}])
    raw = list(landing.read(datasets.RAW_CUSTOMERS, WINDOW))
    with landing.open_writer(datasets.RAW_CUSTOMERS, WINDOW, schemas.RAW) as writer:
        for batch in raw:
            writer.write(batch)
        writer.facts["clock_difference_seconds"] = -3600.0
    assert normalization.normalize(WINDOW, profile=PROFILE, landing=landing).normalized == 1


def test_records_from_the_future_that_every_window_meets_do_not_count_as_a_wrong_profile(landing: LandingStore) -> None:
    dirty: list[object] = [{"id": str(number), "at": "2999-01-01T00:00:00Z"} for number in range(5)]
    land(landing, [*dirty, {"id": "a", "at": at(1)}])
    report = normalization.normalize(WINDOW, profile=PROFILE, landing=landing)
    assert (report.quarantined_total, report.recurring, report.normalized) == (5, 5, 1)
    query = {"since": "{since}", "until": "{until}"}
    told = PROFILE.model_copy(update={"list": PROFILE.list.model_copy(update={"query": query})})
    assert normalization.normalize(WINDOW, profile=told, landing=landing).recurring == 0


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_a_window_that_is_ingested_anew_while_it_is_normalized_is_normalized_again(
    landing: LandingStore, monkeypatch: pytest.MonkeyPatch, rows: int
) -> None:
    land(landing, [{"id": "x", "at": at(1)}, {"id": "y", "at": at(2)}])

    def overtaken(*columns: Any) -> object:
        land(landing, [{"id": "y", "at": at(2)}, {"id": "z", "at": at(3)}, {"id": "x", "at": at(4)}][:rows])
        return newest(*columns)

    monkeypatch.setattr("customer_pipeline.steps.normalization.newest", overtaken)
    with pytest.raises(LandingError, match="replaced by another run") as raised:
        normalization.normalize(WINDOW, profile=PROFILE, landing=landing)
    assert raised.value.transient
    assert landing.describe(datasets.CUSTOMERS, WINDOW) is None
