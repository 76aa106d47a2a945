"""The command as it is typed, without a webserver: the erasure is done by its own process, on real servers."""

import io
from datetime import timedelta
from pathlib import Path

import dagster as dg
import pytest

from customer_pipeline import cli
from customer_pipeline.commands import erase as command
from customer_pipeline.erasure.ledger import Ledger, State
from customer_pipeline.instance import erasures
from customer_pipeline_tests.cache.conftest import connection
from customer_pipeline_tests.commands.test_reconcile import RUN, Webserver
from customer_pipeline_tests.erasure.world import VICTIM, WINDOWS, World
from customer_pipeline_tests.landing.conftest import Place, folder
from customer_pipeline_tests.servers import ValkeyServer, free_port
from customer_pipeline_tests.test_dagster_storage import materialize, tell

__all__ = ["connection", "folder"]

PROFILE = """
name: by-hand
base_url: http://127.0.0.1:9
list: {path: /customers}
pagination: {style: page_number}
fields: {id: id, updated_at: at, status: status}
deleted: {path: gone}
"""


@pytest.fixture
def world(
    folder: Place, valkey: ValkeyServer, connection: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> World:
    """A pipeline with customers, in the environment."""
    (tmp_path / "profile.yaml").write_text(PROFILE)
    (tmp_path / "dagster").mkdir()
    (tmp_path / "dagster" / "dagster.yaml").touch()
    for name, value in {
        "PROVIDER_PROFILE": str(tmp_path / "profile.yaml"),
        "REDIS_URL": valkey.url,
        "LANDING_URI": folder.uri,
        "CUSTOMER_PIPELINE_START": "2026-11-01T00:00:00Z",
        "CUSTOMER_PIPELINE_HOME": str(tmp_path / "home"),
        "DAGSTER_HOME": str(tmp_path / "dagster"),
        "DAGSTER_WEBSERVER_URL": f"http://127.0.0.1:{free_port()}",
    }.items():
        monkeypatch.setenv(name, value)
    made = World(folder, connection)  # type: ignore[arg-type]
    made.begin()
    return made


def instance(tmp_path: Path) -> dg.DagsterInstance:
    return dg.DagsterInstance.from_config(str(tmp_path / "dagster"))


def test_an_erasure_is_done_proven_and_audited_without_naming_the_customer(
    world: World, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{VICTIM}\n"))

    assert cli.main(["erase", "-", "--yes", "--by", "officer@desk"]) == 0

    out, err = capsys.readouterr()
    ((hash_, state),) = world.stores.ledger.states().items()
    assert state is State.ERASED
    assert {event.by for event in world.stores.ledger.events(hash_)} == {"officer@desk"}
    lines = out.splitlines()
    assert lines[0] == f"{hash_} is suppressed from now on, by officer@desk"
    assert "does not answer: the connection is refused or was lost; the customer is erased by this process" in lines[1]
    assert lines[2].startswith(
        "removed here: 2 changes, 2 customers, 1 documents, 3 index_entries, 2 quarantined_customers, 6 raw"
    )
    assert lines[3] == "1 records of other customers mention the id; they stay"
    assert lines[4] == f"no trace of {hash_} is left in cache, landing store, Dagster's storage and compute logs"
    assert VICTIM not in out + err
    assert world.traces() == []

    assert cli.main(["erase", VICTIM, "--unsuppress", "--by", "other@desk"]) == 0
    assert f"{hash_} is lifted by other@desk" in capsys.readouterr().out
    assert cli.main(["erase", VICTIM, "--unsuppress"]) == 1
    assert "no customer of this id is suppressed" in capsys.readouterr().err


def test_what_dagster_keeps_of_the_customer_is_told_and_the_repetition_is_clean_once_it_is_gone(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with instance(tmp_path) as kept:
        run = tell(kept, VICTIM)
    capsys.readouterr()

    assert cli.main(["erase", VICTIM, "--yes"]) == 1

    said = capsys.readouterr().err
    assert "times in event log" in said
    assert f"of the runs {run}: `dagster run delete RUN` removes one, not its logs" in said
    assert VICTIM not in said
    assert world.traces() == []
    with instance(tmp_path) as kept:
        kept.delete_run(run)
    assert cli.main(["erase", VICTIM, "--yes"]) == 0


def test_without_dagster_s_storage_the_erasure_is_done_and_not_called_proven(
    world: World, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DAGSTER_HOME")

    assert cli.main(["erase", VICTIM, "--yes"]) == command.NOT_PROVEN

    said = capsys.readouterr().err
    assert "erased from cache and landing store, but not proven for Dagster" in said
    assert "DAGSTER_HOME is not set" in said
    assert "a run that is under way may publish the customer again" in said
    assert world.traces() == []


@pytest.mark.parametrize(
    ("arguments", "typed", "said"),
    [
        ([VICTIM], "", "nothing was erased; --yes does not ask"),
        (["-", "--yes"], "", "ID: no customer can have such an id"),
        (["-", "--yes"], "\x1b[31m\n", "ID: no customer can have such an id"),
        ([" ", "--unsuppress"], "", "ID: no customer can have such an id"),
    ],
)
def test_what_is_typed_wrong_erases_nothing(
    world: World, capsys: pytest.CaptureFixture[str], arguments: list[str], typed: str, said: str
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.stdin", io.StringIO(typed))
        assert cli.main(["erase", *arguments]) == 2

    assert said in capsys.readouterr().err
    assert Ledger(world.landing.notes).states() == {}


def test_a_failure_in_the_middle_says_that_a_repetition_goes_on(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.place.put(f"customers/{WINDOWS[0].start.date()}/{WINDOWS[0].key}.parquet", b"damaged")

    assert cli.main(["erase", VICTIM, "--yes"]) == command.LEFT

    said = capsys.readouterr().err
    assert "not a whole Parquet file of the landing store" in said
    assert "repeat the command once that is so: it goes on" in said
    assert list(world.stores.ledger.states().values()) == [State.ERASING]


def queueing(*, answer: dict[str, str]) -> Webserver:
    """Return a webserver whose daemon is stopped, and which answers so when a run is to leave the queue."""
    never = dict.fromkeys(("startTime", "endTime", "assetSelection", "stepKeysToExecute"))
    run = {"runId": RUN, "status": "QUEUED", "jobName": erasures.JOB, "creationTime": 1.0, "tags": []}
    repository = {"name": "r", "location": {"name": "l"}, "pipelines": [{"name": erasures.JOB}]}
    webserver = Webserver("QUEUED")
    webserver.answers |= {
        "repositoriesOrError": {"repositoriesOrError": {"nodes": [repository]}},
        "query($run: ID!) { runOrError": {"runOrError": run | never},
        "terminateRun": {"terminateRun": answer},
    }
    return webserver


@pytest.mark.parametrize(
    ("answer", "stays"),
    [({"__typename": "TerminateRunSuccess"}, False), ({"__typename": "TerminateRunFailure", "message": "begun"}, True)],
)
def test_a_run_that_does_not_begin_leaves_the_queue_and_the_customer_is_erased_here(
    *,
    world: World,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    answer: dict[str, str],
    stays: bool,
) -> None:
    monkeypatch.setattr(command, "QUEUE_PATIENCE", timedelta(seconds=0.2))
    monkeypatch.setattr(command, "POLL_SECONDS", 0.1)

    webserver = queueing(answer=answer)
    with webserver.running() as url:
        assert cli.main(["erase", VICTIM, "--yes", "--url", url]) == 0

    said = capsys.readouterr().out
    assert "seconds: does the daemon run? `customer-pipeline status` tells; this process goes on" in said
    assert "removed here: 2 changes, 2 customers" in said
    assert ("the run stays in the queue (terminateRun: begun)" in said) is stays
    assert sum("terminateRun" in query for query in webserver.asked) == 1
    assert world.traces() == []


@pytest.mark.usefixtures("world")
def test_of_an_id_that_is_a_number_the_proof_says_so(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with instance(tmp_path) as kept:
        materialize(kept)

    assert cli.main(["erase", "604800", "--yes"]) == 0
    assert capsys.readouterr().out.endswith("\nthe id is a number: numbers in texts are not taken for it\n")


def test_ctrl_c_says_that_the_customer_stays_suppressed(
    world: World, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("customer_pipeline.instance.erasures.launch", interrupted)

    assert cli.main(["erase", VICTIM, "--yes"]) == 130

    assert "what was entered stays suppressed, and the same command goes on" in capsys.readouterr().err
    assert list(world.stores.ledger.states().values()) == [State.ERASING]
