"""What `customer-pipeline erase` asks of Dagster's storage, in a process of its own: commands import no Dagster."""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from customer_pipeline.variables import DAGSTER_HOME

_MODULE = "customer_pipeline.dagster_storage"


class StorageUnreadable(Exception):  # noqa: N818 -- says what is the case
    """Dagster's storage cannot be asked from here; the message says why."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Proof:
    """What a search of Dagster's storage and logs found.

    Attributes:
        traces: how many values tell of the customer, by place.
        runs: the runs whose records do.
        unsearched: what could not be looked through.
        taken_out: how many reconciliations had the customer in their sample, and no longer have.
    """

    traces: Mapping[str, int]
    runs: tuple[str, ...] = ()
    unsearched: tuple[str, ...] = ()
    taken_out: int = 0


def search(customer_id: str, environ: Mapping[str, str], *, logs: Sequence[Path]) -> Proof:
    """Take the id out of the samples of reconciliations, then look for it in all that the instance keeps.

    That is runs, events, ticks and compute logs, and the files below `logs`.
    """
    try:
        answer = _asked({"id": customer_id, "folders": [str(folder) for folder in logs]}, environ)
    except StorageUnreadable as error:
        return Proof(traces={}, unsearched=(str(error),))
    return Proof(
        traces=answer["traces"],
        runs=tuple(answer["runs"]),
        unsearched=tuple(answer["unsearched"]),
        taken_out=answer["taken_out"],
    )


def runs_under_way(environ: Mapping[str, str]) -> set[str]:
    """Return the ids of the runs that may be landing or publishing now.

    Raises:
        StorageUnreadable: if that cannot be known.
    """
    return set(_asked({"runs": True}, environ)["runs"])


def _asked(question: Mapping[str, Any], environ: Mapping[str, str]) -> dict[str, Any]:
    if not environ.get(DAGSTER_HOME.name):
        raise StorageUnreadable(f"Dagster's storage: {DAGSTER_HOME.name} is not set, so nobody knows where it is")
    done = subprocess.run(  # noqa: S603 -- a module of this package
        [sys.executable, "-m", _MODULE],
        input=json.dumps(question),
        capture_output=True,
        text=True,
        env=dict(environ),
        check=False,
    )
    if done.returncode:
        # The last line begins with the error's type; what follows may quote an URL.
        kind = (done.stderr.strip().splitlines() or ["unknown"])[-1].partition(":")[0].rpartition(".")[2]
        raise StorageUnreadable(f"Dagster's storage: it cannot be read with {DAGSTER_HOME.name} as it is ({kind})")
    answer: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return answer
