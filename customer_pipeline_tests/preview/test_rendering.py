from dataclasses import replace

from customer_pipeline.cache.publisher import Outcomes
from customer_pipeline.preview import Report, text
from customer_pipeline.preview.report import Change, CustomerDifference, FieldDifference, WindowPreview
from customer_pipeline.windows import split
from customer_pipeline_tests.preview.conftest import FIRST, WINDOWS


def report(count: int) -> Report:
    windows = split(FIRST.start, FIRST.start + count * (FIRST.end - FIRST.start))
    outcomes = Outcomes(applied=1000, unchanged=2, stale=3, deleted=4)
    previews = [WindowPreview(window=one, fetched=1010, quarantined=1, outcomes=outcomes) for one in windows]
    return Report(replay=True, windows=tuple(previews), customers=1500, changed=0, sample=(), with_values=False)


def test_few_windows_are_listed_above_their_total() -> None:
    assert text(report(2)).splitlines() == [
        "window            fetched  quarantined  applied  unchanged  stale  deleted",
        "2026-11-23T1400Z    1,010            1    1,000          2      3        4",
        "2026-11-23T1410Z    1,010            1    1,000          2      3        4",
        "2 windows           2,020            2    2,000          4      6        8",
        "",
        "The documents of 0 of the 1,500 customers concerned would change.",
    ]


def test_the_records_of_erased_customers_have_a_column_where_there_are_any() -> None:
    two = report(2)
    erased = replace(two, windows=(two.windows[0], replace(two.windows[1], suppressed=7)))

    assert text(erased).splitlines()[:4] == [
        "window            fetched  quarantined  applied  unchanged  stale  deleted  suppressed",
        "2026-11-23T1400Z    1,010            1    1,000          2      3        4           0",
        "2026-11-23T1410Z    1,010            1    1,000          2      3        4           7",
        "2 windows           2,020            2    2,000          4      6        8           7",
    ]
    assert erased.as_json()["total"]["suppressed"] == erased.as_json()["windows"][1]["suppressed"] == 7


def test_one_window_is_its_own_total_and_many_are_not_listed() -> None:
    assert text(report(1)).splitlines()[1].startswith(f"{WINDOWS[0].key}  ")
    assert len(text(report(1)).splitlines()) == 4
    assert len(text(report(20)).splitlines()) == 24
    assert len(text(report(21)).splitlines()) == 4


def test_a_terminal_takes_no_orders_from_what_the_provider_wrote() -> None:
    evil = "\x1b[2J"
    difference = FieldDifference(field=f"attributes.{evil}", change=Change.ADDED, before=None, after=evil)
    customer = CustomerDifference(id=evil, change=Change.CHANGED, fields=(difference,))
    with_values = replace(report(1), changed=1, sample=(customer,), with_values=True)

    said = text(with_values)

    assert said.splitlines()[3:] == [
        "The documents of 1 of the 1,500 customers concerned would change; 1 of them:",
        "  '\\x1b[2J': changed",
        "    'attributes.\\x1b[2J' added: null -> \"\\u001b[2J\"",
    ]


def test_the_json_has_every_number() -> None:
    content = report(2).as_json()

    assert content["total"] == {
        "fetched": 2020,
        "quarantined": 2,
        "applied": 2000,
        "unchanged": 4,
        "stale": 6,
        "deleted": 8,
        "suppressed": 0,
    }
    assert [each["window"] for each in content["windows"]] == ["2026-11-23T1400Z", "2026-11-23T1410Z"]
