"""The search for an id in all that a Dagster instance keeps."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.scheduler.instigation import TickData, TickStatus

from customer_pipeline.dagster_storage import Search
from customer_pipeline.dagster_texts import telling
from customer_pipeline.reported_samples import sample_of

NAME = "cus_00001"


@dg.job
def customer_telling() -> None:
    @dg.op
    def tell(context: dg.OpExecutionContext) -> dg.Output[None]:
        context.log.info("one line of %s", context.run.tags["who"])
        return dg.Output(None, metadata={"who": context.run.tags["who"]})

    tell()


def tell(instance: dg.DagsterInstance, who: str) -> str:
    return customer_telling.execute_in_process(instance=instance, tags={"who": who}).run_id


def found(instance: dg.DagsterInstance, who: str = NAME) -> Search:
    search = Search.of(who)
    search.instance(instance)
    return search


def tables(search: Search) -> set[str]:
    return {place.rpartition(": ")[2] for place in search.traces}


def test_events_and_tags_that_tell_of_an_id_are_found_with_their_runs(either_instance: dg.DagsterInstance) -> None:
    assert dict(found(either_instance).traces) == {}
    tell(either_instance, "cus_00002")
    run = tell(either_instance, NAME)

    search = found(either_instance)

    assert search.runs == {run}
    assert sum(count for place, count in search.traces.items() if "event" in place) == 2
    assert {"runs: runs", "runs: run_tags"} <= search.traces.keys()
    assert search.unsearched == []


def test_an_id_within_another_is_not_found(either_instance: dg.DagsterInstance) -> None:
    tell(either_instance, f"{NAME}2")
    assert dict(found(either_instance).traces) == {}


@pytest.mark.parametrize("who", ["José-Müller", 'quo"ted-id', "back\\slash", "4711"])
def test_an_id_is_found_as_json_writes_it(either_instance: dg.DagsterInstance, who: str) -> None:
    run = tell(either_instance, who)
    assert found(either_instance, who).runs == {run}


@dg.asset(code_version="1")
def customers_by_hand(context: dg.AssetExecutionContext) -> dg.MaterializeResult[None]:
    told = context.run.tags.get("told")
    metadata: dict[str, Any] = {"rows": 42, "plot": dg.MetadataValue.md("<svg width='42'/>")}
    return dg.MaterializeResult(metadata=metadata | ({"who": told} if told else {}))


@dg.asset(deps=[customers_by_hand])
def customers_of_others() -> dg.MaterializeResult[None]:
    return dg.MaterializeResult(metadata={"sample": sample_of([("missing", ["604801"])])})


def materialize(instance: dg.DagsterInstance, **tags: str) -> str:
    own = {"dagster/priority": "1", "dagster/max_runtime": "604800", "customer_pipeline/failure": "42"}
    assets = [customers_by_hand, customers_of_others]
    return dg.materialize(assets, instance=instance, tags=own | tags).run_id


@pytest.mark.parametrize("who", ["1", "42", "604800", pytest.param(str(os.getpid()), id="process")])
def test_a_number_is_not_taken_for_an_id_in_ordinary_runs(either_instance: dg.DagsterInstance, who: str) -> None:
    for _ in range(3):
        materialize(either_instance)
    tick = TickData(
        instigator_origin_id="origin",
        instigator_name="heal_gaps",
        instigator_type=InstigatorType.SENSOR,
        status=TickStatus.SUCCESS,
        timestamp=1.0,
        run_ids=[],
        selector_id="selector",
        log_key=["__repository__", "heal_gaps", who],
    )
    either_instance.create_tick(tick)

    search = found(either_instance, who)

    assert dict(search.traces) == {}
    assert search.unsearched == []


@pytest.mark.parametrize("who", ["1", "42", "604800"])
@pytest.mark.parametrize("tag", ["team", "told"])
def test_a_number_that_is_the_value_of_a_person_s_tag_or_metadata_is_found(
    either_instance: dg.DagsterInstance, who: str, tag: str
) -> None:
    materialize(either_instance)
    run = materialize(either_instance, **{tag: who})

    search = found(either_instance, who)

    assert search.runs == {run}
    assert {"runs: runs", "runs: run_tags"} <= search.traces.keys()
    assert any("event" in place for place in search.traces) is (tag == "told")


def test_a_number_in_a_sample_is_found(either_instance: dg.DagsterInstance) -> None:
    run = materialize(either_instance)
    assert found(either_instance, "604801").runs == {run}


def test_the_definitions_of_jobs_are_left_out_of_the_search(either_instance: dg.DagsterInstance) -> None:
    materialize(either_instance)
    numbers = [str(number) for number in range(1, 100)]
    search = Search(telling(numbers), numbers)
    search.instance(either_instance)
    assert (dict(search.traces), search.unsearched) == ({}, [])


def test_of_a_run_that_is_deleted_the_compute_log_is_left() -> None:
    with dg.instance_for_test() as instance:
        instance.delete_run(tell(instance, NAME))
        (left,) = found(instance).traces
    assert left.startswith("compute log: ")


def test_a_cursor_of_a_sensor_and_an_asset_s_last_event_are_looked_at(either_instance: dg.DagsterInstance) -> None:
    @dg.asset
    def customer_list() -> dg.MaterializeResult[None]:
        return dg.MaterializeResult(metadata={"sample": [NAME]})

    either_instance.daemon_cursor_storage.set_cursor_values({"cursor": f'["{NAME}"]'})
    dg.materialize([customer_list], instance=either_instance)

    assert {"kvs", "asset_keys"} < tables(found(either_instance))


def test_compute_logs_on_this_machine_are_looked_at_and_others_are_named() -> None:
    with dg.instance_for_test() as instance:
        stream = instance.compute_log_manager.get_captured_local_path(["run", "compute_logs", "step"], "err")  # type: ignore[attr-defined]
        Path(stream).parent.mkdir(parents=True)
        Path(stream).write_text(f"Traceback: {NAME}\n")
        Path(stream).with_suffix(".empty").touch()
        assert dict(found(instance).traces) == {f"compute log: {stream}": 1}

    elsewhere = {
        "module": "dagster_aws.s3.compute_log_manager",
        "class": "S3ComputeLogManager",
        "config": {"bucket": "b"},
    }
    with dg.instance_for_test(overrides={"compute_logs": elsewhere}) as instance:
        assert found(instance).unsearched == ["the compute logs (S3ComputeLogManager), which are not on this machine"]


def test_a_damaged_event_log_is_not_taken_for_one_without_traces() -> None:
    with dg.instance_for_test() as instance:
        run = tell(instance, "cus_00002")
        Path(instance.event_log_storage.path_for_shard(run)).write_bytes(b"damaged" * 1000)  # type: ignore[attr-defined]
        assert found(instance).unsearched == [f"the event log of run {run} (DatabaseError)"]


def ask(question: dict[str, object], home: Path | str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "customer_pipeline.dagster_storage"],
        input=json.dumps(question),
        capture_output=True,
        text=True,
        env=os.environ | {"DAGSTER_HOME": str(home)},
        check=False,
    )


def test_the_module_answers_on_standard_output(tmp_path: Path) -> None:
    (tmp_path / "dagster.yaml").touch()
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        run = tell(instance, NAME)
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "webserver.log").write_text(f"GET /{NAME}")

    answer = json.loads(ask({"id": NAME, "folders": [str(tmp_path / "logs")]}, tmp_path).stdout)

    assert answer["runs"] == [run]
    assert answer["traces"][f"log: {tmp_path}/logs/webserver.log"] == 1
    assert answer["unsearched"] == []
    assert json.loads(ask({"runs": True}, tmp_path).stdout) == {"runs": []}
