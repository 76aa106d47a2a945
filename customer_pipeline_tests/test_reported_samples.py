"""A customer leaves the samples of reconciliations: on real instances, with the events of real runs."""

import itertools
import json
import re
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster import serialize_value

from customer_pipeline import reported_samples
from customer_pipeline.dagster_storage import Search
from customer_pipeline.defs import history
from customer_pipeline.reported_samples import RECONCILIATION, sample_of, take_out
from customer_pipeline_tests.defs.conftest import Deployment, deployed
from customer_pipeline_tests.defs.test_reconciliation import reconcile, repeated, shown
from customer_pipeline_tests.servers import ValkeyServer
from customer_pipeline_tests.test_dagster_storage import ask, tell

__all__ = ["deployed"]

ERASED = [f"erased-{number}" for number in range(7)]
OTHER = "another"


@pytest.fixture
def told(either_instance: dg.DagsterInstance, deployed: Any, valkey: ValkeyServer) -> Deployment:
    """Two reconciliations that show customers who are in the index alone, and one before that does not."""
    deployment = Deployment(either_instance, *deployed)
    assert reconcile(deployment).success
    show(deployment, valkey)
    return deployment


def show(deployment: Deployment, valkey: ValkeyServer) -> None:
    with valkey.client() as client:
        client.zadd("customers:by_updated_at", dict.fromkeys([*ERASED, OTHER], 1))
    for _ in range(2):
        assert reconcile(deployment, check_only=True).success


def traces(deployment: Deployment, name: str) -> dict[str, int]:
    search = Search.of(name)
    search.instance(deployment.instance)
    assert search.unsearched == []
    return dict(search.traces)


def kept(instance: dg.DagsterInstance) -> list[str]:
    """All that there is of the reconciliations: the events of their runs, those of the asset, and the last of these."""
    runs = instance.get_runs(dg.RunsFilter(job_name="customer_reconciliation"))
    events = [entry for run in runs for entry in instance.all_logs(run.run_id)]
    events += [one.event_log_entry for one in instance.fetch_materializations(RECONCILIATION, limit=10).records]
    return [*map(serialize_value, [*events, instance.get_latest_materialization_event(RECONCILIATION)])]


def without(name: str, texts: list[str]) -> list[str]:
    row = rf'\{{"__class__": "TableRecord", "data": \{{"id": "{name}", "kind": "misindexed"\}}\}}'
    return [re.sub(rf"{row}, |, {row}(?=\])", "", text) for text in texts]


def test_one_row_leaves_every_sample_and_all_else_stays_as_it_was(told: Deployment) -> None:
    instance = told.instance
    before, points = kept(instance), history.reconciliations(instance, limit=10)
    check = repeated(instance)
    assert sum(ERASED[0] in text for text in before) == 5
    assert {"misindexed": 8, "agrees_now": "false"}.items() <= points[0][1].items()

    assert take_out(instance, ERASED[0]) == 2

    assert traces(told, ERASED[0]) == {}
    assert kept(instance) == without(ERASED[0], before) != before
    after = history.reconciliations(instance, limit=10)
    assert [(at, {**of, "sample": None}) for at, of in after] == [(at, {**of, "sample": None}) for at, of in points]
    assert {row.data["id"] for row in after[0][1]["sample"].records} == {*ERASED[1:], OTHER}  # type: ignore[attr-defined]
    assert repeated(instance) == check
    most = max(int(str(of["differences"])) for _, of in points)
    assert f" {most:,} at most" in shown(reconcile(told, check_only=True))["trend"]


def test_a_customer_who_is_in_no_sample_changes_nothing(told: Deployment) -> None:
    before = kept(told.instance)

    assert take_out(told.instance, "erased") == 0

    assert kept(told.instance) == before


def test_an_interruption_anywhere_is_made_up_for_by_a_repetition(
    told: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One customer for each step: to look for the runs, then event and last event of two runs and of the index."""
    telling = reported_samples._telling
    for number, name in enumerate(ERASED):
        steps = itertools.count()

        def interrupted(*arguments: Any, number: int = number, steps: "itertools.count[int]" = steps) -> Any:
            if next(steps) == number:
                raise KeyboardInterrupt
            return telling(*arguments)

        with monkeypatch.context() as patch:
            patch.setattr(reported_samples, "_telling", interrupted)
            with pytest.raises(KeyboardInterrupt):
                take_out(told.instance, name)
        take_out(told.instance, name)

        assert traces(told, name) == {}
    assert traces(told, OTHER) != {}


def test_what_other_jobs_tell_of_the_customer_stays(told: Deployment) -> None:
    run = tell(told.instance, ERASED[0])

    take_out(told.instance, ERASED[0])

    search = Search.of(ERASED[0])
    search.instance(told.instance)
    assert search.runs == {run}


def test_the_module_takes_the_id_out_before_it_looks(told: Deployment) -> None:
    answer = json.loads(ask({"id": ERASED[0], "folders": []}, told.instance.root_directory).stdout)

    assert answer == {"taken_out": 2, "traces": {}, "runs": [], "unsearched": []}
    assert traces(told, ERASED[0]) == {}


def test_a_sample_that_cannot_be_rewritten_is_named() -> None:
    @dg.op
    def report(context: dg.OpExecutionContext) -> None:
        metadata = {"sample": sample_of([("missing", [OTHER])])}
        context.log_event(dg.AssetMaterialization(RECONCILIATION, metadata=metadata))

    @dg.job
    def customer_reconciliation() -> None:
        report()

    with dg.instance_for_test() as instance:
        run = customer_reconciliation.execute_in_process(instance=instance).run_id
        Path(instance.event_log_storage.path_for_shard(run)).write_bytes(b"damaged" * 1000)  # type: ignore[attr-defined]
        answer = json.loads(ask({"id": OTHER, "folders": []}, instance.root_directory).stdout)

    assert answer["unsearched"] == [
        "samples of reconciliations, to take the id out (DatabaseError)",
        f"the event log of run {run} (DatabaseError)",
    ]
    assert answer["traces"] != {}
