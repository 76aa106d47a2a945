import contextlib
import errno
import json
import os
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import time_machine
from pyarrow import fs

from customer_pipeline import timestamps
from customer_pipeline.landing.errors import Damaged, LandingError, NotLanded, explained
from customer_pipeline.landing.storage import Storage
from customer_pipeline.landing.store import LandingStore
from customer_pipeline.landing.writer import ROW_GROUP_BYTES, ROW_GROUP_ROWS
from customer_pipeline.windows import Window
from customer_pipeline_tests.landing.conftest import Place
from customer_pipeline_tests.landing.rows import SCHEMA, WINDOW, table
from customer_pipeline_tests.servers import ServerProcess, free_port

FILE = "things/2026-11-23/2026-11-23T1450Z.parquet"


def land(place: Place, *tables: pa.Table) -> None:
    with place.store().open_writer("things", WINDOW, SCHEMA) as writer:
        for each in tables:
            writer.write(each)


def landed(place: Place, **options: object) -> pa.Table:
    batches = list(place.store().read("things", WINDOW, **options))  # type: ignore[arg-type]
    return pa.Table.from_batches(batches) if batches else SCHEMA.empty_table()


def test_what_is_written_is_read_with_its_facts(place: Place) -> None:
    store = place.store()
    with store.open_writer("things", WINDOW, SCHEMA) as writer:
        writer.write(table(3))
        writer.write(table(2, first=3).to_batches()[0])
        writer.facts["pages"] = {"count": 2, "last": None}
        assert writer.rows == 5
    described = store.describe("things", WINDOW)

    assert landed(place) == table(5)
    assert described == store.require("things", WINDOW)
    assert described is not None
    assert (described.rows, described.facts) == (5, {"pages": {"count": 2, "last": None}})
    assert {FILE: described.bytes} == {name: len(contents) for name, contents in place.files().items()}
    assert described.uri == f"{place.uri.partition('?')[0]}/{FILE}" == store.uri_of("things", WINDOW)


def test_a_landed_file_is_zstd_with_the_schema_as_it_was_given(place: Place) -> None:
    land(place, table(3).replace_schema_metadata({"made": "elsewhere"}), table(3))
    parquet = pq.ParquetFile(pa.BufferReader(place.files()[FILE]))

    assert parquet.schema_arrow.equals(SCHEMA)
    assert parquet.schema_arrow.field("id").metadata[b"comment"] == b"a number"
    assert parquet.metadata.row_group(0).column(0).compression == "ZSTD"


def test_only_the_columns_asked_for_are_read(place: Place) -> None:
    land(place, table(3))

    assert landed(place, columns=["text"]) == table(3).select(["text"])


def test_a_window_without_rows_is_landed_all_the_same(place: Place) -> None:
    land(place)
    described = place.store().describe("things", WINDOW)

    assert described is not None
    assert described.rows == 0
    assert landed(place) == SCHEMA.empty_table()


def test_a_window_that_was_never_landed_says_how_to_land_it(place: Place) -> None:
    store = place.store()

    assert store.describe("things", WINDOW) is None
    with pytest.raises(NotLanded, match=r"things of window 2026-11-23T1450Z was never landed, .*materialize things"):
        store.read("things", WINDOW)
    with pytest.raises(NotLanded) as caught:
        store.require("things", WINDOW)
    assert not caught.value.transient


def test_a_later_file_takes_the_place_of_an_earlier_one(place: Place) -> None:
    land(place, table(3))
    land(place, table(2, first=10))

    assert landed(place) == table(2, first=10)
    assert list(place.files()) == [FILE]


def test_windows_and_datasets_are_kept_apart(place: Place) -> None:
    other = Window.from_key("2026-11-24T0000Z")
    land(place, table(1))
    for dataset, window, count in (("things", other, 2), ("others", WINDOW, 3)):
        with place.store().open_writer(dataset, window, SCHEMA) as writer:
            writer.write(table(count))

    assert landed(place).num_rows == 1
    assert place.store().require("things", other).rows == 2
    assert place.store().require("others", WINDOW).rows == 3


@pytest.mark.parametrize("before", [0, 3])
def test_an_exception_leaves_everything_as_it_was(place: Place, before: int) -> None:
    if before:
        land(place, table(before))
    files = place.files()

    def fail() -> None:
        with place.store().open_writer("things", WINDOW, SCHEMA) as writer:
            writer.write(table(2 * ROW_GROUP_ROWS))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert place.files() == files


def test_an_error_of_the_caller_is_not_taken_for_one_of_the_store(place: Place) -> None:
    with pytest.raises(ConnectionResetError), place.store().open_writer("things", WINDOW, SCHEMA):
        raise ConnectionResetError(errno.ECONNRESET, "the provider hung up")


def test_facts_that_are_no_json_abandon_the_file(place: Place) -> None:
    with pytest.raises(ValueError, match="JSON"), place.store().open_writer("things", WINDOW, SCHEMA) as writer:
        writer.facts["ratio"] = float("nan")
    assert place.files() == {}


def test_nothing_is_seen_of_a_file_before_it_is_whole(place: Place) -> None:
    store = place.store()
    with store.open_writer("things", WINDOW, SCHEMA) as writer:
        writer.write(table(2 * ROW_GROUP_ROWS))
        assert store.describe("things", WINDOW) is None
        assert place.files("things") == {}
    assert store.require("things", WINDOW).rows == 2 * ROW_GROUP_ROWS


def test_of_two_writers_at_once_the_last_to_finish_wins_whole(place: Place) -> None:
    store = place.store()
    first, second = (store.open_writer("things", WINDOW, SCHEMA) for _ in range(2))
    with first as one:
        with second as other:
            one.write(table(1, text="first"))
            other.write(table(1, text="second"))
            one.write(table(ROW_GROUP_ROWS, first=1, text="first"))
        assert landed(place) == table(1, text="second")
        one.write(table(1, first=ROW_GROUP_ROWS + 1, text="first"))

    assert landed(place) == table(ROW_GROUP_ROWS + 2, text="first")
    assert list(place.files()) == [FILE]


def test_many_writers_in_threads_leave_one_whole_file(place: Place) -> None:
    store = place.store()

    def write(number: int) -> None:
        with store.open_writer("things", WINDOW, SCHEMA) as writer:
            for start in range(0, 100, 10):
                writer.write(table(10, first=start, text=f"writer {number}"))

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert landed(place) in [table(100, text=f"writer {number}") for number in range(8)]
    assert list(place.files()) == [FILE]


def test_a_reader_keeps_the_file_it_opened(folder: Place) -> None:
    land(folder, table(3 * ROW_GROUP_ROWS))
    batches = folder.store().read("things", WINDOW)
    first = next(batches)
    land(folder, table(1, first=-1))

    assert pa.Table.from_batches([first, *batches]) == table(3 * ROW_GROUP_ROWS)


@pytest.mark.parametrize("text", ["same length", "of another length"])
def test_a_reader_never_mixes_two_files_of_a_bucket(bucket: Place, text: str) -> None:
    before = table(ROW_GROUP_ROWS, text="some length")
    land(bucket, before, before)
    batches = bucket.store().read("things", WINDOW)
    read = [next(batches)]
    land(bucket, *[table(ROW_GROUP_ROWS, text=text)] * 2)

    with pytest.raises(LandingError, match="replaced while it was read; it heals by itself") as caught:
        read.extend(batches)
    assert caught.value.transient
    assert pa.Table.from_batches(read) == before


def test_a_file_that_is_removed_from_a_bucket_while_it_is_read_may_be_landed_again(bucket: Place) -> None:
    land(bucket, table(2 * ROW_GROUP_ROWS))
    batches = bucket.store().read("things", WINDOW)
    filesystem, root = fs.FileSystem.from_uri(bucket.uri)
    filesystem.delete_file(f"{root}/{FILE}")

    with pytest.raises(LandingError, match="it heals by itself") as caught:
        list(batches)
    assert caught.value.transient


def run_until(place: Place, point: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "customer_pipeline_tests.landing.slow_writer", place.uri, point]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == f"{point}\n"
    return process


@pytest.mark.parametrize("point", ["written", "closed", "committed"])
def test_a_killed_writer_leaves_the_file_before_it_or_its_own_whole(place: Place, point: str) -> None:
    land(place, table(3, text="before"))
    with run_until(place, point) as process:
        process.send_signal(signal.SIGKILL)

    expected = pa.concat_tables([table(ROW_GROUP_ROWS)] * 3) if point == "committed" else table(3, text="before")
    assert process.returncode == -signal.SIGKILL
    assert landed(place) == expected
    assert list(place.files("things")) == [FILE]
    assert all(name.startswith("_incomplete/") for name in place.files() if name != FILE)

    land(place, table(1))
    assert landed(place) == table(1)


def test_a_writer_killed_on_an_empty_store_leaves_the_window_not_landed(folder: Place) -> None:
    with run_until(folder, "closed") as process:
        process.kill()

    assert len(folder.files("_incomplete")) == 1
    assert folder.store().describe("things", WINDOW) is None


def test_leftovers_are_swept_after_a_day_and_not_before(place: Place) -> None:
    place.put("_incomplete/left.parquet", b"PAR1")
    land(place, table(1))
    assert set(place.files()) == {FILE, "_incomplete/left.parquet"}

    with time_machine.travel(timestamps.now() + timedelta(days=1, minutes=1), tick=False):
        store = LandingStore(place.uri) if place.uri.startswith("file:") else place.store()
        store._storage._sweep()
    assert set(place.files()) == {FILE}


def test_a_later_writer_sweeps(folder: Place) -> None:
    folder.put("_incomplete/left.parquet", b"PAR1")
    with time_machine.travel(timestamps.now() + timedelta(days=1, minutes=1)):
        land(folder, table(1))

    assert set(folder.files()) == {FILE}


def test_a_store_that_cannot_be_swept_is_written_all_the_same(
    folder: Place, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.put("_incomplete/left.parquet/a-directory-by-mistake", b"")
    with time_machine.travel(timestamps.now() + timedelta(days=1, minutes=1)):
        land(folder, table(1))
    monkeypatch.setattr(Storage, "path", lambda storage, name: f"{storage._root}/{name.replace('_incomplete', FILE)}")
    folder.store()._storage._sweep()
    folder.store()._storage.discard("things")

    assert landed(folder) == table(1)
    assert "was not swept" in caplog.text
    assert "things was left behind" in caplog.text


def test_contents_and_name_reach_the_disk_in_that_order(folder: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    final = Path(folder.store()._storage.path(FILE))
    synced: list[tuple[str, bool]] = []
    fsync = os.fsync

    def record(descriptor: int) -> None:
        synced.append((str(Path(f"/proc/self/fd/{descriptor}").readlink()), final.exists()))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", record)
    land(folder, table(1))

    (file, committed), *folders = synced
    assert "/_incomplete/" in file
    assert not committed
    assert folders == [(str(part), True) for part in list(final.parents)[:3]]


def test_small_pages_are_gathered_and_large_ones_cut(place: Place) -> None:
    land(place, *(table(50, first=50 * page) for page in range(2000)), table(3 * ROW_GROUP_ROWS))
    metadata = pq.read_metadata(pa.BufferReader(place.files()[FILE]))
    sizes = [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)]

    assert sizes == [ROW_GROUP_ROWS] * 5


def test_a_row_group_is_bounded_in_bytes_too(folder: Place) -> None:
    land(folder, table(3 * ROW_GROUP_BYTES // 10_000, text="x" * 10_000))
    metadata = pq.read_metadata(pa.BufferReader(folder.files()[FILE]))
    largest = max(metadata.row_group(group).num_rows for group in range(metadata.num_row_groups))

    assert ROW_GROUP_BYTES // 11_000 < largest <= ROW_GROUP_BYTES // 10_000
    assert max(batch.num_rows for batch in folder.store().read("things", WINDOW)) == largest


def test_batches_are_no_larger_than_asked_for(place: Place) -> None:
    land(place, table(ROW_GROUP_ROWS + 10))
    batches = list(place.store().read("things", WINDOW, batch_size=20_000))

    assert [batch.num_rows for batch in batches] == [20_000, 20_000, 10_000, 10]


def test_memory_does_not_grow_with_the_file(folder: Place) -> None:
    def peak(groups: int) -> int:
        highest = 0
        with folder.store().open_writer("things", WINDOW, SCHEMA) as writer:
            for number in range(groups):
                noise = [os.urandom(500).hex() for _ in range(1000)]
                for start in range(0, 16_000, 1000):
                    rows = table(1000, first=16_000 * number + start).set_column(
                        1, SCHEMA.field("text"), pa.array(noise)
                    )
                    writer.write(rows)
                    highest = max(highest, pa.total_allocated_bytes())
        for _ in folder.store().read("things", WINDOW):
            highest = max(highest, pa.total_allocated_bytes())
        return highest

    few = peak(2)
    assert folder.store().require("things", WINDOW).rows == 32_000
    assert peak(10) < 1.25 * few


def wider() -> pa.Table:
    return table(1).append_column("more", pa.array([1]))


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (wider(), r"none, not foreseen: \['more'\]"),
        (table(1).select(["id", "text"]), r"another type: \['at'\], not foreseen: none"),
        (table(1).select(["text", "id", "at"]), "in its order"),
        (table(1).set_column(1, "text", pa.array([1])), r"another type: \['text'\], not foreseen: \['text'\]"),
        (pa.table([[None], ["a"], [None]], schema=SCHEMA), r"columns \['id'\] must not hold nulls"),
    ],
)
def test_rows_of_another_schema_are_refused(place: Place, rows: pa.Table, message: str) -> None:
    with pytest.raises(LandingError, match=message), place.store().open_writer("things", WINDOW, SCHEMA) as writer:
        writer.write(rows)
    assert place.files() == {}


def test_a_file_of_another_schema_is_refused(place: Place) -> None:
    land(place, table(1))

    assert landed(place, schema=SCHEMA) == table(1)
    with pytest.raises(LandingError, match=r"other columns than are asked for, without \['more'\]; materialize"):
        place.store().read("things", WINDOW, columns=["id", "more"])
    with pytest.raises(LandingError, match="other columns than are asked for; materialize"):
        place.store().read("things", WINDOW, schema=wider().schema)


def foreign() -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(table(1), sink)
    contents: bytes = sink.getvalue().to_pybytes()
    return contents


@pytest.mark.parametrize("contents", [b"", b"PAR1", b"no Parquet at all", b"PAR1" * 10, foreign()])
def test_a_foreign_file_is_refused_with_its_path(place: Place, contents: bytes) -> None:
    place.put(FILE, contents)

    for use in (place.store().describe, place.store().read):
        with pytest.raises(LandingError, match=rf"{FILE}: not .*materialize") as caught:
            use("things", WINDOW)
        assert not isinstance(caught.value, NotLanded)
        assert not caught.value.transient


def test_a_file_of_another_window_is_refused(place: Place) -> None:
    land(place, table(1))
    other = Window.from_key("2026-11-23T1500Z")
    place.put("things/2026-11-23/2026-11-23T1500Z.parquet", place.files()[FILE])
    place.put("others/2026-11-23/2026-11-23T1450Z.parquet", place.files()[FILE])

    for dataset, window in (("things", other), ("others", WINDOW)):
        with pytest.raises(LandingError, match="not written here by the landing store"):
            place.store().describe(dataset, window)


def test_a_byte_that_is_another_one_is_noticed_wherever_it_matters(folder: Place) -> None:
    with folder.store().open_writer("things", WINDOW, SCHEMA) as writer:
        writer.write(table(100))
        writer.facts["pages"] = 2
    contents = folder.files()[FILE]
    noticed = []
    for position in range(len(contents)):
        damaged = bytearray(contents)
        damaged[position] ^= 0xFF
        folder.put(FILE, bytes(damaged))
        try:
            facts = folder.store().require("things", WINDOW).facts
            rows = landed(folder, schema=SCHEMA)
        except Damaged as error:
            noticed.append((error.uri, error.transient))
        else:
            assert (facts, rows) == ({"pages": 2}, table(100)), f"byte {position}"
    assert len(noticed) > len(contents) / 2
    assert set(noticed) == {(folder.store().uri_of("things", WINDOW), False)}


def test_a_truncated_file_is_refused(place: Place) -> None:
    land(place, table(1000))
    place.put(FILE, place.files()[FILE][:-100])

    with pytest.raises(LandingError, match=rf"{FILE}: not a whole Parquet file"):
        place.store().read("things", WINDOW)


def test_a_changed_byte_is_noticed_and_its_values_are_not_told(place: Place) -> None:
    secrets = pa.array([f"secret {os.urandom(40).hex()}" for _ in range(1000)])
    land(place, table(1000).set_column(1, SCHEMA.field("text"), secrets))
    contents = bytearray(place.files()[FILE])
    column = pq.read_metadata(pa.BufferReader(bytes(contents))).row_group(0).column(1)
    contents[column.dictionary_page_offset + 20_000] ^= 1
    place.put(FILE, bytes(contents))

    with pytest.raises(LandingError, match=rf"{FILE}: .*materialize the window from raw_customers on") as caught:
        landed(place)
    assert "secret" not in str(caught.value)


def test_a_directory_in_the_place_of_a_file_is_named(folder: Place) -> None:
    folder.put(f"{FILE}/inner", b"")

    with pytest.raises(LandingError, match="a directory stands where a file belongs"):
        folder.store().describe("things", WINDOW)
    with pytest.raises(LandingError, match=f"{FILE}: the file system answered EISDIR"):
        land(folder, table(1))


def test_a_file_in_the_place_of_a_directory_is_named(folder: Place) -> None:
    folder.put("_incomplete", b"")

    with pytest.raises(LandingError, match=rf"{FILE}: the file system answered \w+; see that LANDING_URI"):
        land(folder, table(1))


@pytest.mark.parametrize("room", [100_000, 0], ids=["for some of it", "not for the first byte"])
def test_a_full_disk_abandons_the_file_and_says_so(folder: Place, room: int) -> None:
    land(folder, table(1))
    noise = pa.table([[0], [os.urandom(500_000).hex()], [None]], schema=SCHEMA)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))
    try:
        with pytest.raises(LandingError, match=rf"{FILE}: no room left to write; free space") as caught:
            land(folder, noise)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    assert caught.value.transient
    assert landed(folder) == table(1)
    assert list(folder.files()) == [FILE]


@contextlib.contextmanager
def as_nobody() -> Iterator[None]:
    """Run without the superuser's rights, who is denied nothing."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(user)


def test_denied_access_is_named(folder: Place) -> None:
    land(folder, table(1))
    root = Path(folder.store()._storage.path(""))
    root.chmod(0)
    try:
        for use in (partial(folder.store().describe, "things", WINDOW), partial(land, folder)):
            with as_nobody(), pytest.raises(LandingError, match="access denied; let the user") as caught:
                use()
            assert not caught.value.transient
    finally:
        root.chmod(0o700)


@pytest.mark.parametrize(
    ("error", "message", "transient"),
    [
        (OSError(errno.ENOSPC, "no space"), "no room left", True),
        (OSError(errno.EDQUOT, "quota"), "no room left", True),
        (OSError(errno.EROFS, "read-only"), "access denied", False),
        (OSError(errno.ESTALE, "stale"), "answered ESTALE", True),
        (OSError(errno.EIO, "broken"), "answered EIO", False),
        (OSError(99999, "what"), "answered 99999", False),
        (FileNotFoundError(errno.ENOENT, "gone"), "removed by someone else", True),
        (OSError("Unexpected end of stream"), "its contents are damaged", False),
        (OSError("x: AWS Error SLOW_DOWN during PutObject operation: y"), "S3 answered PutObject with SLOW_DOWN", True),
        (OSError("AWS Error UNKNOWN (HTTP status 429) during GetObject operation"), r"UNKNOWN \(status 429\)", True),
        (OSError("AWS Error ACCESS_DENIED during PutObject operation: no"), "check the credentials", False),
        (
            pa.ArrowInvalid("customer 17 is bad"),
            r"not a whole Parquet file .*\(ArrowInvalid\)",
            False,
        ),
    ],
)
def test_every_failure_says_what_to_do_and_whether_it_passes(
    *, error: Exception, message: str, transient: bool
) -> None:
    with pytest.raises(LandingError, match=f"^s3://b/f: .*{message}") as caught, explained("s3://b/f"):
        raise error

    assert caught.value.transient is transient
    assert "customer 17" not in str(caught.value)


def test_a_missing_bucket_is_not_a_missing_window(s3_server: ServerProcess) -> None:
    place = Place(f"s3://nowhere/prefix?endpoint_override=127.0.0.1:{s3_server.port}&scheme=http")

    with pytest.raises(LandingError, match="there is no such bucket; create it") as caught:
        place.store().describe("things", WINDOW)
    assert not isinstance(caught.value, NotLanded)
    with pytest.raises(LandingError, match="NO_SUCH_BUCKET; create the bucket") as caught:
        land(place, table(1))
    assert not caught.value.transient


class Refusing(BaseHTTPRequestHandler):
    """An S3 that refuses everything in one way."""

    status = 403
    code = "AccessDenied"

    def refuse(self) -> None:
        body = f"<Error><Code>{self.code}</Code><Message>no</Message></Error>".encode()
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.send_response(self.status)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = refuse  # noqa: N815 -- the names http.server calls

    def log_message(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def s3_that_refuses(status: int, code: str) -> Iterator[Place]:
    handler = type("Handler", (Refusing,), {"status": status, "code": code})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield Place(f"s3://bucket/prefix?endpoint_override=127.0.0.1:{server.server_port}&scheme=http")
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.usefixtures("s3_server")
def test_an_s3_that_denies_access_is_not_asked_again() -> None:
    with s3_that_refuses(403, "AccessDenied") as place:
        for use in (partial(place.store().describe, "things", WINDOW), partial(land, place)):
            with pytest.raises(LandingError, match=r"S3 answered .* check the credentials") as caught:
                use()
            assert not caught.value.transient


@pytest.mark.usefixtures("s3_server")
def test_an_s3_that_is_busy_or_out_of_reach_is_asked_again_later() -> None:
    def fail(place: Place) -> LandingError:
        with pytest.raises(
            LandingError, match=r"S3 answered .*; it heals by itself when a later tick succeeds"
        ) as caught:
            place.store().describe("things", WINDOW)
        return caught.value

    away = Place(f"s3://bucket/prefix?endpoint_override=127.0.0.1:{free_port()}&scheme=http")
    with s3_that_refuses(503, "SlowDown") as busy, ThreadPoolExecutor() as pool:
        assert all(error.transient for error in pool.map(fail, [busy, away]))


@pytest.mark.parametrize(
    "uri",
    [
        "", "landing", "/landing", "file:landing", "file://host/landing", "file:///a b", "file:///a?b=c", "file:///a#b",
        "s3://", "s3:///prefix", "http://host/landing", "gs://bucket", "s3://[bucket",
    ],
)  # fmt: skip
def test_a_malformed_uri_is_refused_at_once(uri: str) -> None:
    with pytest.raises(LandingError, match=r"expected file:///absolute/directory or s3://bucket/prefix|percent-encode"):
        LandingStore(uri)


def test_credentials_in_a_uri_are_refused_and_not_repeated() -> None:
    with pytest.raises(LandingError, match="belong into the environment") as caught:
        LandingStore("s3://id:hush@bucket/prefix")
    assert "hush" not in str(caught.value)


def test_an_unknown_query_parameter_is_named_on_first_use() -> None:
    store = LandingStore("s3://bucket/prefix?bogus=1")

    with pytest.raises(LandingError, match="the URI or its query is malformed; expected"):
        store.describe("things", WINDOW)


def test_a_store_touches_nothing_before_its_first_use(tmp_path: Path) -> None:
    LandingStore((tmp_path / "landing").as_uri())
    LandingStore("s3://bucket.that.does.not.exist/prefix")

    assert list(tmp_path.iterdir()) == []


def test_a_range_and_a_bad_name_are_mistakes_of_the_caller(folder: Place) -> None:
    store = folder.store()
    with pytest.raises(ValueError, match="more or less than one window; split it"):
        store.describe("things", Window(WINDOW.start, WINDOW.end + timedelta(minutes=10)))
    for name in ("", "_incomplete", "../things", "a/b", "Things"):
        with pytest.raises(ValueError, match="is no name of a dataset"):
            store.describe(name, WINDOW)


def test_the_footer_is_json_that_other_tools_can_read(folder: Place) -> None:
    land(folder, table(1))
    footer = pq.read_metadata(pa.BufferReader(folder.files()[FILE])).metadata[b"customer_pipeline.landing"]

    assert json.loads(footer) == {"dataset": "things", "window": WINDOW.key, "facts": {}}
