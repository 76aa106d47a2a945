"""`customer-pipeline status`: the state of the pipeline in one screen, and an exit code for monitoring."""

import argparse
import os
from collections.abc import Mapping
from datetime import timedelta

import orjson

from customer_pipeline.cache.errors import CacheError
from customer_pipeline.commands.output import complain, say
from customer_pipeline.commands.status_rendering import text
from customer_pipeline.commands.status_shape import shape
from customer_pipeline.commands.surroundings import environment, webserver_url
from customer_pipeline.instance import status
from customer_pipeline.instance.graphql import GraphQL, WebserverError
from customer_pipeline.instance.status import CacheState, InstanceState, Status
from customer_pipeline.instance.verdict import Level, verdict
from customer_pipeline.settings import Settings, SettingsError, redacted
from customer_pipeline.timestamps import now
from customer_pipeline.variables import REDIS_URL

_ANSWER_TIMEOUT = timedelta(seconds=10)


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to a parser."""
    parser = commands.add_parser(
        "status",
        help="show freshness, gaps, runs and the provider's state in one screen",
        description="Shows the state of the pipeline. Exit codes: 0 all is well, 1 warning, 2 critical, 3 not known.",
    )
    parser.add_argument("--json", action="store_true", help="as JSON, of a documented shape")
    parser.add_argument(
        "--url", help="of the Dagster UI (default: DAGSTER_WEBSERVER_URL, or that of the running stack)"
    )
    parser.set_defaults(command=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the command and return its exit code."""
    try:
        found = _status(os.environ, url=arguments.url)
    except KeyboardInterrupt:
        return complain("interrupted", code=Level.UNKNOWN)
    judged = verdict(found)
    if arguments.json:
        say(orjson.dumps(shape(found, judged), option=orjson.OPT_INDENT_2).decode())
    else:
        say(text(found, judged))
    return judged.level


def _status(environ: Mapping[str, str], *, url: str | None) -> Status:
    at = now()
    cache: CacheState | str
    instance: InstanceState | str
    # A source that cannot be asked leaves the other to be shown.
    try:
        settings = Settings.from_environment(environment(environ))
    except SettingsError as error:
        cache = str(error)
    else:
        try:
            cache = status.of_cache(settings, at)
        except CacheError as error:
            cache = f"{REDIS_URL.name} ({redacted(settings.redis_url)}): {error.reason}"
    try:
        instance = status.of_instance(GraphQL(webserver_url(environ, given=url), timeout=_ANSWER_TIMEOUT))
    except (SettingsError, WebserverError) as error:
        instance = str(error)
    return Status(
        at=at,
        cache=cache if isinstance(cache, CacheState) else None,
        cache_problem=cache if isinstance(cache, str) else None,
        instance=instance if isinstance(instance, InstanceState) else None,
        instance_problem=instance if isinstance(instance, str) else None,
    )
