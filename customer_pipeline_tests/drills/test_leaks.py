"""That a value is found wherever it leaks to, and in whatever form."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

from customer_pipeline_tests.drills import leaks


def test_a_value_that_leaked_is_found(tmp_path: Path) -> None:
    record = {"contact": {"email": "anna.müller@example.org"}, "name": {"full": "Anna Müller"}}
    values = leaks.values_of([{"record": record}, {"record": "text"}])
    (tmp_path / "plain").write_text("failed for Anna Müller")
    (tmp_path / "escaped").write_text(r"{\"email\": \"anna.m\u00fcller@example.org\"}")
    (tmp_path / "clean").write_text("failed for a customer")

    assert leaks.leaks(values, [tmp_path]) == ["escaped: 1 values", "plain: 1 values"]


def test_a_short_value_is_found_where_it_is_a_word(tmp_path: Path) -> None:
    for name, content in {
        "alone": "for Heidi, again",
        "after a line": r"failed:\nHeidi",
        "part": "Heidiland, xHeidi",
    }.items():
        (tmp_path / name).write_text(content)

    assert leaks.leaks(["Heidi"], [tmp_path]) == ["after a line: 1 values", "alone: 1 values"]
    assert leaks.told(["Heidi", "Anneliese"], '{"text": "Heidi"}') == 1


def test_a_value_is_found_in_a_database_whose_pages_cut_it_and_which_has_forgotten_it(tmp_path: Path) -> None:
    value = "".join(map(str, range(5000)))
    with closing(sqlite3.connect(tmp_path / "some.db")) as connection:
        connection.execute("PRAGMA secure_delete = OFF")
        connection.executescript("CREATE TABLE kept (text TEXT); CREATE TABLE forgotten (text TEXT);")
        connection.execute("INSERT INTO kept VALUES (?)", [value])
        connection.execute("INSERT INTO forgotten VALUES ('a customer')")
        connection.execute("DELETE FROM forgotten")
        connection.commit()

    assert value.encode() not in (tmp_path / "some.db").read_bytes()
    assert leaks.leaks([value], [tmp_path], free_pages=False) == ["some.db: 1 values"]
    assert leaks.leaks(["a customer"], [tmp_path], free_pages=False) == []
    assert leaks.leaks(["a customer"], [tmp_path]) == ["some.db: 1 values"]


def test_every_value_of_a_marked_record_is_told_of_and_found() -> None:
    record = leaks.marked(1)

    assert len(leaks.marks_of(record)) == 20
    assert leaks.told([*leaks.marks_of(record), record["id"]], json.dumps(json.dumps(record))) == 21
