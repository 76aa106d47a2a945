"""`customer-pipeline reconcile` as it is typed: its options, and the exit code of each outcome."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import orjson
import pytest
import time_machine
from dagster import validate_run_config

from customer_pipeline import cli
from customer_pipeline.commands.job import ANSWER_TIMEOUT, run_job
from customer_pipeline.commands.reconcile import JOB, config
from customer_pipeline.definitions import defs
from customer_pipeline.instance.graphql import GraphQL

RUN = "0123456789abcdef"
CREATED = datetime(2026, 11, 23, 14, 3, tzinfo=UTC).timestamp()


def evaluation(description: str, *, success: bool) -> dict[str, Any]:
    found = {"checkName": "cache_agrees_with_provider", "success": success, "description": description}
    return {"__typename": "AssetCheckEvaluationEvent", "evaluation": found}


SAME = evaluation("The cache agrees.", success=True)
DIFFERENT = evaluation("1 customers differed.", success=False)


class Webserver:
    """Answers as Dagster does, by what is asked for: nothing is under way, and the run that is launched has ended.

    Before it says so, it does not answer `away` times, and says `queued` times that the run is queued.
    """

    def __init__(self, status: str, *events: dict[str, Any], away: int = 0, queued: int = 0) -> None:
        refusals, waits = iter(range(away)), iter(range(queued))
        repository = {"name": "r", "location": {"name": "l"}, "pipelines": [{"name": JOB}]}
        self.answers: dict[str, dict[str, Any]] = {
            "runsOrError": {"runsOrError": {"results": []}},
            "repositoriesOrError": {"repositoriesOrError": {"nodes": [repository]}},
            "launchRun": {"launchRun": {"__typename": "LaunchRunSuccess", "run": {"runId": RUN}}},
            "logsForRun": {
                "runOrError": {"status": status, "creationTime": CREATED},
                "logsForRun": {"cursor": "1", "hasMore": False, "events": list(events)},
            },
        }

        self.asked: list[str] = []
        answers, asked = self.answers, self.asked

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                query = orjson.loads(self.rfile.read(int(self.headers["Content-Length"])))["query"]
                asked.append(query)
                is_away = "logsForRun" in query and next(refusals, None) is not None
                answer = None if is_away else next(answers[name] for name in answers if name in query)
                if answer and "logsForRun" in answer and next(waits, None) is not None:
                    answer = answer | {"runOrError": {"status": "QUEUED", "creationTime": CREATED}}
                body = orjson.dumps({"data": answer})
                self.send_response(503 if is_away else 200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.handler = Handler

    @contextmanager
    def running(self) -> Iterator[str]:
        with ThreadingHTTPServer(("127.0.0.1", 0), self.handler) as server:
            thread = threading.Thread(target=server.serve_forever)
            thread.start()
            yield f"http://127.0.0.1:{server.server_port}"
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(
    ("webserver", "code", "said"),
    [
        (Webserver("SUCCESS"), 0, "has succeeded"),
        (
            Webserver("SUCCESS", SAME),
            0,
            "succeeded",
        ),
        (Webserver("SUCCESS", DIFFERENT), 1, "has ended: 1 customers differed."),
        (
            Webserver(
                "FAILURE",
                {
                    "__typename": "ExecutionStepFailureEvent",
                    "error": {"message": "x"},
                    "failureMetadata": {"description": "provider misbehaved: why"},
                },
            ),
            1,
            "provider misbehaved: why",
        ),
    ],
)
def test_the_exit_code_says_whether_both_agree(
    webserver: Webserver, code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with webserver.running() as url:
        assert cli.main(["reconcile", "--check", "--url", url]) == code
    output = capsys.readouterr()
    assert said in output.out + output.err


def test_a_webserver_that_goes_away_is_waited_for(capsys: pytest.CaptureFixture[str]) -> None:
    waited: list[float] = []
    with Webserver("SUCCESS", away=3).running() as url:
        graphql = GraphQL(url, timeout=ANSWER_TIMEOUT)
        assert run_job(graphql, JOB, config={}, wait=waited.append) == 0
    assert len(waited) == 3
    said = capsys.readouterr().out
    assert said.count("asking again for 5 minutes") == said.count("the webserver answers again") == 1


@pytest.mark.parametrize(("queued", "is_said"), [(30, False), (31, True), (90, True)])
def test_a_run_that_stays_in_the_queue_is_said_once_and_waited_for(
    *, queued: int, is_said: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    with Webserver("SUCCESS", queued=queued).running() as url, time_machine.travel(CREATED, tick=False) as clock:
        assert run_job(GraphQL(url), JOB, config={}, wait=lambda seconds: clock.shift(timedelta(seconds=seconds))) == 0
    said = capsys.readouterr().out
    told = "queued since 14:03:00Z: does the daemon run? `customer-pipeline status` tells"
    assert said.count(told) == said.count("queued since") == is_said
    assert "has succeeded" in said


@pytest.mark.parametrize("share", ["2", "-0.1", "a tenth", "nan"])
def test_a_share_that_is_none_is_refused(share: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        cli.main(["reconcile", f"--max-deleted-share={share}"])
    assert stopped.value.code == 2
    assert "expected a number from 0 to 1" in capsys.readouterr().err


@pytest.mark.parametrize("share", [None, 0.5])
@pytest.mark.parametrize("check", [True, False])
def test_the_job_takes_what_the_command_sends(*, check: bool, share: float | None) -> None:
    sent = config(check=check, max_deleted_share=share)
    taken = validate_run_config(defs.resolve_job_def(JOB), sent)
    assert taken["ops"]["reconcile_customers"]["config"] == {
        "check_only": check,
        "max_deleted_share": 0.01 if share is None else share,
    }
