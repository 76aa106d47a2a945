import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from customer_pipeline.instance.webserver import Run, Webserver, WebserverError
from customer_pipeline.windows import Window
from customer_pipeline_tests.servers import free_port

DAY = Window(Window.from_key("2026-11-22T1200Z").start, Window.from_key("2026-11-23T1150Z").end)


class Script:
    """What a webserver answers next, and what it was asked."""

    def __init__(self, url: str) -> None:
        self.webserver = Webserver(url, location="customer_pipeline")
        self.answer: Any = {}
        self.asked: list[dict[str, Any]] = []


@pytest.fixture
def script() -> Iterator[Script]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._reply(b"{}")

        def do_POST(self) -> None:
            current.asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            answer = current.answer
            self._reply(answer if isinstance(answer, bytes) else json.dumps(answer).encode())

        def _reply(self, body: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        current = Script(f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield current
        server.shutdown()
        thread.join()


def locations(*entries: dict[str, Any]) -> dict[str, Any]:
    return {"data": {"workspaceOrError": {"locationEntries": list(entries)}}}


LOADED = {"name": "customer_pipeline", "locationOrLoadError": {"repositories": [{"name": "__repository__"}]}}


def test_a_webserver_that_is_up_answers_and_one_that_is_not_does_not(script: Script) -> None:
    assert script.webserver.answers()
    assert not Webserver(f"http://127.0.0.1:{free_port()}", location="x").answers()


def test_a_job_is_launched_with_its_tags_and_config(script: Script) -> None:
    script.answer = locations({"name": "other"}, LOADED)
    script.webserver.find_job()
    script.answer = {"data": {"launchRun": {"__typename": "LaunchRunSuccess", "run": {"runId": "r1"}}}}

    script.webserver.launch("customer_sync", tags={"pipeline": "customer_pipeline"}, config={"ops": {}})

    params = script.asked[-1]["variables"]["params"]
    assert params["selector"] == {
        "repositoryLocationName": "customer_pipeline",
        "repositoryName": "__repository__",
        "pipelineName": "customer_sync",
    }
    assert {tag["key"]: tag["value"] for tag in params["executionMetadata"]["tags"]} == {
        "pipeline": "customer_pipeline",
    }
    assert params["runConfigData"] == {"ops": {}}


def test_unfinished_runs_are_told_apart(script: Script) -> None:
    def run(name: str, status: str, **tags: str) -> dict[str, Any]:
        pairs = [{"key": f"dagster/{key}", "value": value} for key, value in tags.items()]
        return {"runId": name, "status": status, "updateTime": 5.0 if name == "r1" else None, "tags": pairs}

    ends = {"asset_partition_range_start": "2026-11-22T1200Z", "asset_partition_range_end": "2026-11-23T1150Z"}
    results = [run("r1", "STARTED", **ends), run("r2", "QUEUED", partition="2026-11-22T1200Z"), run("r3", "QUEUED")]
    script.answer = {"data": {"runsOrError": {"results": results}}}

    assert script.webserver.unfinished_runs("customer_sync") == [
        Run(id="r1", queued=False, updated=5.0, windows=DAY),
        Run(id="r2", queued=True, updated=0.0, windows=Window.from_key("2026-11-22T1200Z")),
        Run(id="r3", queued=True, updated=0.0, windows=None),
    ]


@pytest.mark.parametrize(
    ("ask", "answer", "message"),
    [
        (Webserver.find_job, locations(), "is not loaded yet"),
        (
            Webserver.find_job,
            locations({"name": "customer_pipeline", "locationOrLoadError": None}),
            "is not loaded yet",
        ),
        (
            Webserver.find_job,
            locations({"name": "customer_pipeline", "locationOrLoadError": {"message": "SettingsError: no\n"}}),
            "failed to load: SettingsError: no$",
        ),
        (
            Webserver.find_job,
            locations(
                {
                    "name": "customer_pipeline",
                    "locationOrLoadError": {
                        "message": "Error occurred during the loading",
                        "causes": [{"message": "while importing"}, {"message": "SettingsError: no profile\n"}],
                    },
                }
            ),
            "failed to load: SettingsError: no profile$",
        ),
        (Webserver.find_job, {"errors": [{"message": "no such field"}, {"message": "two"}]}, "no such field; two"),
        (Webserver.find_job, {"data": {"workspaceOrError": {"message": "broken\n"}}}, "workspaceOrError: broken$"),
        (lambda webserver: webserver.unfinished_runs("customer_sync"), b"<html>", "does not answer"),
        (
            lambda webserver: webserver.launch("customer_sync", tags={}),
            {"data": {"launchRun": {"__typename": "RunConfigValidationInvalid", "errors": [{"message": "bad"}]}}},
            "the run was refused: .*bad",
        ),
        (
            lambda webserver: webserver.cancel(Run(id="r1", queued=False, updated=0.0, windows=None)),
            {"data": {"terminateRun": {"__typename": "TerminateRunFailure", "message": "too late"}}},
            "terminateRun: too late",
        ),
    ],
)
def test_a_refusal_is_an_error_that_says_why(
    script: Script, ask: Callable[[Webserver], object], answer: Any, message: str
) -> None:
    script.answer = answer

    with pytest.raises(WebserverError, match=message):
        ask(script.webserver)


def test_a_webserver_that_is_gone_is_an_error() -> None:
    webserver = Webserver(f"http://127.0.0.1:{free_port()}", location="x")

    with pytest.raises(WebserverError, match="does not answer"):
        webserver.unfinished_runs("customer_sync")
