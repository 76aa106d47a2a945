"""`customer-pipeline bootstrap`: load the whole cache, through the running instance, and watch."""

import argparse
import os

from customer_pipeline import run_tags
from customer_pipeline.commands.job import ANSWER_TIMEOUT, run_job
from customer_pipeline.commands.surroundings import webserver_url
from customer_pipeline.instance.graphql import GraphQL

JOB = "customer_bootstrap"
OP = "load_customers"


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to a parser."""
    parser = commands.add_parser(
        "bootstrap",
        help="load the whole cache, through the running instance",
        description="Walks the whole provider and publishes every customer, while live runs go on; rows in the cache "
        "that are newer stay. An empty cache is loaded without this command. The same command watches a load that is "
        "under way; one that was interrupted goes on where it stopped.",
    )
    parser.add_argument(
        "--from-landing", action="store_true", help="publish what has landed: the provider is not asked"
    )
    parser.add_argument(
        "--accept-fewer",
        action="store_true",
        help="believe a provider that shows nobody, or far fewer customers than at the last load",
    )
    parser.add_argument(
        "--url", help="of the Dagster UI (default: DAGSTER_WEBSERVER_URL, or that of the running stack)"
    )
    parser.set_defaults(command=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the command and return its exit code."""
    graphql = GraphQL(webserver_url(os.environ, given=arguments.url), timeout=ANSWER_TIMEOUT)
    from_landing = bool(arguments.from_landing)
    asked = {"from_landing": from_landing, "accept_fewer": bool(arguments.accept_fewer)}
    return run_job(
        graphql,
        JOB,
        config={"ops": {OP: {"config": asked}}},
        tags={run_tags.FROM_LANDING: str(from_landing).lower()},
    )
