"""`customer-pipeline reconcile`: compare provider and cache, through the running instance, and watch."""

import argparse
import os

from customer_pipeline.commands.job import ANSWER_TIMEOUT, run_job
from customer_pipeline.commands.surroundings import webserver_url
from customer_pipeline.instance.graphql import GraphQL

JOB = "customer_reconciliation"
STEP = "reconcile_customers"


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to a parser."""
    parser = commands.add_parser(
        "reconcile",
        help="compare provider and cache, through the running instance, and make them agree",
        description="Walks the whole provider, compares every customer with the cache and publishes what differs; live "
        "runs go on. Who is in the cache and no longer at the provider is asked for once more before it is taken "
        "out. The same command watches a reconciliation that is under way. Exit code 0 says that both agree.",
    )
    parser.add_argument("--check", action="store_true", help="only report: exit code 1 where they differ")
    parser.add_argument(
        "--max-deleted-share",
        type=_share,
        metavar="X",
        help="the greatest share of the cached customers that may be deleted because the provider no longer shows "
        "them, from 0 to 1 (default: 0.01)",
    )
    parser.add_argument(
        "--url", help="of the Dagster UI (default: DAGSTER_WEBSERVER_URL, or that of the running stack)"
    )
    parser.set_defaults(command=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the command and return its exit code."""
    graphql = GraphQL(webserver_url(os.environ, given=arguments.url), timeout=ANSWER_TIMEOUT)
    return run_job(graphql, JOB, config=config(check=arguments.check, max_deleted_share=arguments.max_deleted_share))


def config(*, check: bool, max_deleted_share: float | None) -> dict[str, object]:
    """Return the run config of a reconciliation."""
    share = {} if max_deleted_share is None else {"max_deleted_share": max_deleted_share}
    return {"ops": {STEP: {"config": {"check_only": check, **share}}}}


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no share; expected a number from 0 to 1, such as 0.05")
    return share
