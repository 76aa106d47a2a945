"""`customer-pipeline backfill`: publish a range again, through the running instance, and watch."""

import argparse
import os
import time
from contextlib import closing
from datetime import timedelta

from customer_pipeline.commands import bounds
from customer_pipeline.commands.output import MISCONFIGURED, complain, say
from customer_pipeline.commands.preview import preview
from customer_pipeline.commands.progress import Display
from customer_pipeline.commands.surroundings import webserver_url
from customer_pipeline.instance import backfills
from customer_pipeline.instance.backfills import Backfill, Request
from customer_pipeline.instance.graphql import GraphQL, WebserverError, WebserverUnreachable
from customer_pipeline.instance.progress import Progress
from customer_pipeline.instance.runs import PipelineRun, first_line_of_failure
from customer_pipeline.instance.watching import ContactLost, watch
from customer_pipeline.instance.webserver import first_and_last_key
from customer_pipeline.timestamps import now

SOME_FAILED = 1
OUTCOME_UNKNOWN = 3
INTERRUPTED = 130

_MOST_CAUSES = 5
_USUAL_SAMPLE = 5
_LARGEST_SAMPLE = 1000
_ANSWER_TIMEOUT = timedelta(minutes=1)


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to a parser."""
    parser = commands.add_parser(
        "backfill",
        help="publish a range of windows again, through the running instance",
        description="Publishes the windows of [START, END) again and watches until they are. The same command attaches "
        "to a backfill that goes on, and does what is left of one that failed. Bounds are windows' keys "
        "(2026-11-23T1450Z) or RFC 3339 instants, on whole ten minutes.",
    )
    parser.add_argument("start", metavar="START", help="where the first window starts")
    parser.add_argument("end", metavar="END", help="where the last window ends; the one that starts there is left out")
    parser.add_argument("--replay", action="store_true", help="from the landing store: the provider is not asked")
    parser.add_argument(
        "--again", action="store_true", help="all of the range, even where the last backfill of it failed in part"
    )
    parser.add_argument(
        "--url", help="of the Dagster UI (default: DAGSTER_WEBSERVER_URL, or that of the running stack)"
    )
    dry_run = parser.add_argument_group("preview")
    dry_run.add_argument("--dry-run", action="store_true", help="say what would change, and write nothing")
    dry_run.add_argument("--sample", type=_sample, metavar="N", help=f"customers to compare (default: {_USUAL_SAMPLE})")
    dry_run.add_argument("--show-values", action="store_true", help="show their values: personal data")
    parser.set_defaults(command=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the command and return its exit code."""
    if misplaced := _misplaced(arguments):
        return complain(misplaced, code=MISCONFIGURED)
    try:
        request = Request(windows=bounds.parse(arguments.start, arguments.end), replay=arguments.replay)
        if arguments.dry_run:
            sample = _USUAL_SAMPLE if arguments.sample is None else arguments.sample
            return preview(request, sample=sample, show_values=arguments.show_values)
        return _through_the_instance(
            GraphQL(webserver_url(os.environ, given=arguments.url), timeout=_ANSWER_TIMEOUT),
            request,
            again=arguments.again,
        )
    except bounds.BoundsError as error:
        return complain(error, code=MISCONFIGURED)
    except KeyboardInterrupt:
        what_is = "nothing was written" if arguments.dry_run else "a backfill that was requested goes on"
        return complain(f"interrupted; {what_is}", code=INTERRUPTED)


def _misplaced(arguments: argparse.Namespace) -> str | None:
    """Return which options do not belong together: who asks to be shown something must not start a backfill."""
    if arguments.dry_run:
        if arguments.again or arguments.url:
            return "--again and --url belong to a backfill; --dry-run starts none"
    elif arguments.show_values or arguments.sample is not None:
        return "--sample and --show-values belong to --dry-run; nothing was started"
    return None


def _through_the_instance(graphql: GraphQL, request: Request, *, again: bool) -> int:
    try:
        bounds.require_known(request.windows, backfills.known_windows(graphql))
        last = backfills.newest(graphql, request)
        left = last and not last.unfinished and not last.succeeded and not again and _left(graphql, last)
    except WebserverUnreachable as error:
        return complain(
            f"{error}; nothing was started. Start the stack, or name its Dagster UI by --url or DAGSTER_WEBSERVER_URL",
            code=OUTCOME_UNKNOWN,
        )
    except WebserverError as error:
        return complain(f"{error}; nothing was started", code=OUTCOME_UNKNOWN)
    except KeyboardInterrupt:
        return complain("interrupted; nothing was started", code=INTERRUPTED)
    if last and last.unfinished:
        backfill_id = last.id
        say(f"backfill {last.id} of this range goes on since {last.created:%Y-%m-%d %H:%MZ}: watching it")
    else:
        try:
            if last and left:
                backfill_id = backfills.launch_what_is_left(graphql, request, last)
                say(f"backfill {last.id} of {last.created:%Y-%m-%d %H:%MZ} left {left}: {backfill_id} makes up for it")
            else:
                backfill_id = backfills.launch(graphql, request)
                say(f"backfill {backfill_id} is requested")
        except WebserverError as error:
            return complain(
                f"{error}. If it was started all the same, the same command watches it", code=OUTCOME_UNKNOWN
            )
    say(graphql.link(backfills.page(backfill_id)))
    return _watched(graphql, backfill_id)


def _left(graphql: GraphQL, last: Backfill) -> str | None:
    """Return what a backfill that has ended left undone, in words; None where nothing is left."""
    progress = backfills.progress(graphql, last.id)
    undone = progress.total - progress.done
    return f"{undone} of {progress.total} windows undone" if undone else None


def _watched(graphql: GraphQL, backfill_id: str) -> int:
    try:
        with closing(Display()) as display:
            for progress in watch(
                lambda: backfills.progress(graphql, backfill_id), say=display.say, wait=time.sleep, clock=now
            ):
                display.show(progress)
                last = progress
    except KeyboardInterrupt:
        say("the backfill goes on: the same command watches it again, the UI can cancel it")
        return INTERRUPTED
    except ContactLost as error:
        return complain(
            f"{error}. The backfill goes on as long as the daemon runs: "
            "once the webserver is back, the same command watches it again",
            code=OUTCOME_UNKNOWN,
        )
    return _outcome(graphql, backfill_id, last)


def _outcome(graphql: GraphQL, backfill_id: str, progress: Progress) -> int:
    if progress.status in backfills.SUCCEEDED:
        say(f"backfill {backfill_id} has published {progress.total} of {progress.total} windows")
        return 0
    lines = [f"backfill {backfill_id} ended as {progress.status}: {progress}"]
    if progress.error:
        lines.append(f"  {progress.error}")
    # The newest run of a range says how it is: a lost worker's is retried.
    failed = [run for run in {run.windows: run for run in reversed(progress.runs)}.values() if run.failed]
    lines += [f"  run {run.id[:8]} ({_range(run)}): {_cause(graphql, run)}" for run in failed[:_MOST_CAUSES]]
    if len(failed) > _MOST_CAUSES:
        lines.append(f"  and {len(failed) - _MOST_CAUSES} more runs")
    lines += [f"  {graphql.link(backfills.page(backfill_id))}", "the same command does what is left"]
    return complain("\n".join(lines), code=SOME_FAILED)


def _range(run: PipelineRun) -> str:
    if run.windows is None:
        return "no windows"
    return "...".join(dict.fromkeys(first_and_last_key(run.windows)))


def _cause(graphql: GraphQL, run: PipelineRun) -> str:
    if run.status == "CANCELED":
        return "canceled"
    try:
        return first_line_of_failure(graphql, run) or "it does not say why"
    except WebserverError as error:
        return str(error)


def _sample(text: str) -> int:
    if not text.isdecimal() or int(text) > _LARGEST_SAMPLE:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of customers; expected 0 to {_LARGEST_SAMPLE}")
    return int(text)
