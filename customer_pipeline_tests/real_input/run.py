"""Run the job over a range of windows: `python -m customer_pipeline_tests.real_input.run FIRST_KEY LAST_KEY`.

The instance lives in memory, since what is looked at afterwards is the cache.
"""

import sys

import dagster as dg

from customer_pipeline.definitions import defs


def main(first: str, last: str) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        defs.resolve_job_def("customer_sync").execute_in_process(
            instance=instance,
            tags={"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last},
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
