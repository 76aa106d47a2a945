"""Every file of a landing store: found, read and rewritten by name."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from customer_pipeline.landing.errors import LandingError
from customer_pipeline.landing.files import LandedFiles, Mask
from customer_pipeline_tests.landing.conftest import Place
from customer_pipeline_tests.landing.rows import SCHEMA, WINDOW, table

NAME = f"customers/{WINDOW.start.date()}/{WINDOW.key}.parquet"


def land(place: Place, rows: pa.Table) -> None:
    with place.store().open_writer("customers", WINDOW, SCHEMA) as writer:
        writer.write(rows)
        writer.facts["walked_at"] = "then"


def rewrite(place: Place, without: set[int]) -> None:
    files = LandedFiles(place.uri)

    def mask(rows: pa.Table) -> Mask:
        return np.isin(rows["id"].to_numpy(), list(without))

    stamp = files.stamp(NAME)
    assert stamp
    files.rewrite(NAME, without=mask, stamp=stamp)


def test_a_rewritten_file_lacks_the_rows_and_keeps_the_facts(place: Place) -> None:
    land(place, table(5))
    before = place.store().require("customers", WINDOW)

    rewrite(place, {1, 4})

    after = place.store().require("customers", WINDOW)
    assert [row for batch in place.store().read("customers", WINDOW, schema=SCHEMA) for row in batch.to_pylist()] == [
        table(5).to_pylist()[number] for number in (0, 2, 3)
    ]
    assert (after.rows, after.facts) == (3, before.facts)
    assert LandedFiles(place.uri).temporaries() == []


def test_statistics_of_a_rewritten_file_know_no_value_of_the_rows_that_went(folder: Place) -> None:
    land(folder, table(3, text="kept"))
    land(folder, pa.concat_tables([table(3, text="kept"), table(1, first=3, text="zzz of the one who went")]))

    rewrite(folder, {3})

    assert b"zzz" not in folder.files()[NAME]


def test_a_file_whose_rows_all_go_is_an_empty_one(folder: Place) -> None:
    land(folder, table(2))
    rewrite(folder, {0, 1})
    assert folder.store().require("customers", WINDOW).rows == 0
    assert list(folder.store().read("customers", WINDOW, schema=SCHEMA)) == []


@given(count=st.integers(0, 40), without=st.sets(st.integers(0, 40)))
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_other_rows_are_the_same_in_order_over_several_row_groups(
    folder: Place, count: int, without: set[int]
) -> None:
    land(folder, table(0))
    path = Path(unquote(urlsplit(folder.uri).path)) / NAME
    footer = pq.read_metadata(path).metadata
    pq.write_table(table(count).replace_schema_metadata(footer), path, row_group_size=7)

    rewrite(folder, without)

    expected = [row for row in table(count).to_pylist() if row["id"] not in without]
    assert pq.read_table(path).to_pylist() == expected


def test_a_file_that_was_replaced_meanwhile_is_left_alone(place: Place) -> None:
    land(place, table(3))
    files = LandedFiles(place.uri)
    stamp = files.stamp(NAME)
    assert stamp

    def landed_anew(rows: pa.Table) -> Mask:
        land(place, table(2, first=10))
        return np.zeros(rows.num_rows, dtype=np.bool_)

    with pytest.raises(LandingError, match="replaced while it was being rewritten") as raised:
        files.rewrite(NAME, without=landed_anew, stamp=stamp)
    assert raised.value.transient
    assert [row["id"] for batch in place.store().read("customers", WINDOW) for row in batch.to_pylist()] == [10, 11]
    assert files.temporaries() == []


def test_every_file_is_found_by_name_and_temporary_ones_apart(place: Place) -> None:
    land(place, table(1))
    for name in ("_incomplete/a.parquet", "snapshots/x/customers/y.parquet", "suppressions/entries/z.json"):
        place.put(name, b"content")
    files = LandedFiles(place.uri)

    assert files.names() == [NAME, "snapshots/x/customers/y.parquet"]
    assert files.temporaries() == ["_incomplete/a.parquet"]
    files.discard("_incomplete/a.parquet")
    files.discard("_incomplete/a.parquet")
    assert files.temporaries() == []
    assert files.stamp("nowhere.parquet") is None


def test_of_a_file_those_columns_are_read_that_it_has(folder: Place) -> None:
    land(folder, table(2))
    files = LandedFiles(folder.uri)

    assert [batch.to_pydict() for batch in files.batches(NAME, ("id", "record"))] == [{"id": [0, 1]}]
    assert list(files.batches(NAME, ("record",))) == []


def test_an_empty_store_has_no_files(folder: Place) -> None:
    assert LandedFiles(folder.uri).names() == []
